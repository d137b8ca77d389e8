"""How fast search and import are, by size of the catalogue: `python -m loadtests.search_figures --help`.

Owns a temporary instance for each run; asks over HTTP one search at a time, so that what is measured is a search and
not a queue. Products are made as they are written: memory does not grow with their number.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any

import httpx
import msgspec

from loadtests import search_node
from loadtests.catalogue import Product, make_products
from loadtests.system import System, output_of, running

ASKED = 60
SIZES = (20_000, 100_000, 1_000_000)


class Kind(msgspec.Struct, frozen=True):
    """One kind of query, and the parameters of each search."""

    name: str
    asked: list[dict[str, str]]


def kinds(size: int, *, seed: int = 7) -> list[Kind]:
    """Return what is asked of a catalogue of `size` products."""
    random = Random(seed)
    sample = list(make_products(count=min(size, 2_000), seed=1))

    def some(name: str, make: object) -> Kind:
        assert callable(make)
        return Kind(name, [make(random.choice(sample)) for _ in range(ASKED)])

    def words(product: Product, count: int) -> str:
        return " ".join(random.sample(product.name.replace(",", "").split(), count))

    return [
        some("one word", lambda p: {"q": p.name.split()[-2].strip(",")}),
        some("two words", lambda p: {"q": words(p, 2)}),
        some("four words", lambda p: {"q": words(p, 4)}),
        some("model number", lambda p: {"q": p.product_id}),
        some("last word unfinished", lambda p: {"q": f"{p.brand} {p.name.split()[1][:3]}"}),
        some(
            "misspelt",
            lambda p: {"q": p.name.split()[2][:3] + p.name.split()[2][4:] if len(p.name.split()[2]) > 5 else "keybord"},
        ),
        some("two words, brand and price", lambda p: {"q": words(p, 2), "brand": p.brand, "max_price": "20000"}),
        some("two words, by price", lambda p: {"q": words(p, 2), "sort": "price"}),
        some("a brand by newest", lambda p: {"brand": p.brand, "sort": "newest"}),
    ]


async def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, action="append", help="sizes of the catalogue, ascending")
    parser.add_argument("--engine", choices=["postgres", "opensearch"], default="postgres")
    told = parser.parse_args()
    print(f"load of the machine at the start: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="doorbuster-search-")))
        environment: dict[str, Any] = {"SEARCH_TIMEOUT_S": "10"}
        if told.engine == "opensearch":
            environment["SEARCH_URL"] = await stack.enter_async_context(search_node.node())
        system = await stack.enter_async_context(running(folder / "data", workers=1, **environment))
        before = 0
        for size in sorted(told.products or SIZES):
            await _grow(system, folder / "catalogue.jsonl", before, size)
            if url := environment.get("SEARCH_URL"):
                began = perf_counter()
                await output_of("reindex", "--data", system.ready.data, SEARCH_URL=url)
                took = perf_counter() - began
                print(f"  indexed {size:,} in {took:.0f} s, {size / took:,.0f} rows/s")
            await _ask(system.ready.base, size)
            before = size


async def _grow(system: System, file: Path, before: int, size: int) -> None:
    with file.open("wb") as lines:
        for product in _behind(before, size):
            lines.write(msgspec.json.encode(product) + b"\n")
    began = perf_counter()
    await system.import_catalogue(file)
    took = perf_counter() - began
    # Of the children that have ended, of which the import is the largest.
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    print(f"\n{size:,} products: imported {size - before:,} in {took:.0f} s, {(size - before) / took:,.0f} rows/s, "
          f"{memory} MB at most")  # fmt: skip


def _behind(before: int, size: int) -> Iterator[Product]:
    for number, product in enumerate(make_products(count=size, seed=1)):
        if number >= before:
            yield product


async def _ask(base: str, size: int) -> None:
    async with httpx.AsyncClient(base_url=base, trust_env=False, timeout=30) as client:
        for kind in kinds(size):
            for warm in kind.asked[:3]:
                (await client.get("/search", params=warm)).raise_for_status()
            took, found, refused = [], 0, 0
            for asked in kind.asked:
                began = perf_counter()
                answer = await client.get("/search", params=asked)
                took.append((perf_counter() - began) * 1000)
                refused += answer.is_error
                found += 0 if answer.is_error else answer.json()["total"]
            took.sort()
            print(f"  {kind.name:28} p50 {took[len(took) // 2]:8.1f} ms   p95 {took[len(took) * 95 // 100]:8.1f} ms   "
                  f"found {found // len(took):,}   refused {refused}")  # fmt: skip


if __name__ == "__main__":
    asyncio.run(main())
