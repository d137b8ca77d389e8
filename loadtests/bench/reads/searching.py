"""Measures search and import by size of the catalogue, in Postgres or OpenSearch.

Asks over HTTP one search at a time, so that what is measured is a search and not a queue; no search is asked twice, so
that no copy answers. Products are made as they are written: memory does not grow with their number. No rival: sizes and
engines are held against one another.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import islice
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any, Literal

import httpx
import msgspec
from rich import box
from rich.table import Table

from loadtests.generate.catalogue import Product, make_products
from loadtests.scene import search_node
from loadtests.scene.system import System, command, output_of, running

ASKED = 60
WARM = 3
LOOK_S = 0.05
NODE_HEAP = "2g"
Engine = Literal["postgres", "opensearch"]
Say = Callable[[str], None]


class Asked(msgspec.Struct):
    """What one kind of search took."""

    kind: str
    p50_ms: float
    p95_ms: float
    found: int
    """Products a search found, on average."""
    refused: int
    """Searches that took longer than they may."""


class Searching(msgspec.Struct):
    """One engine at one size."""

    engine: Engine
    products: int
    imported: int
    import_s: float
    import_peak_mb: int
    """Most memory that the import took."""
    index_s: float | None
    asked: list[Asked]

    @property
    def p95_ms(self) -> float:
        """The worst kind's p95."""
        return max(one.p95_ms for one in self.asked)


async def measure(engine: Engine, sizes: Sequence[int], say: Say, *, asked: int = ASKED) -> list[Searching]:
    """Measure an engine on one catalogue that grows from size to size."""
    measured: list[Searching] = []
    async with _searched(engine) as (system, url):
        for size in sorted(sizes):
            before = measured[-1].products if measured else 0
            import_s, peak_mb = await _grow(system, before, size)
            index_s = await _index(system, url) if url else None
            one = Searching(
                engine=engine, products=size, imported=size - before, import_s=import_s, import_peak_mb=peak_mb,
                index_s=index_s, asked=await _ask(system.ready.base, size, asked),
            )  # fmt: skip
            measured.append(one)
            say(said(one))
    return measured


def said(one: Searching) -> str:
    """Return a line about one size."""
    indexed = f", indexed at {one.products / one.index_s:,.0f}/s" if one.index_s else ""
    return (
        f"search in {one.engine}, {one.products:,} products: imported at {one.imported / one.import_s:,.0f}/s, "
        f"{one.import_peak_mb} MB at most{indexed}; the slowest kind's p95 {one.p95_ms:,.0f} ms"
    )


def render(measured: Sequence[Searching]) -> Table:
    """Return the table for people: p50 / p95 in milliseconds by kind of search."""
    table = Table(title="search, p50 / p95 in ms", box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("kind")
    for one in measured:
        table.add_column(f"{one.engine} {one.products:,}", justify="right")
    for kinds in zip(*(one.asked for one in measured), strict=True):
        cells = (
            f"{one.p50_ms:,.0f} / {one.p95_ms:,.0f}" + (f", {one.refused} refused" if one.refused else "")
            for one in kinds
        )
        table.add_row(kinds[0].kind, *cells)
    return table


@asynccontextmanager
async def _searched(engine: Engine) -> AsyncIterator[tuple[System, str | None]]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="doorbuster-search-")))
        url = await stack.enter_async_context(search_node.node(heap=NODE_HEAP)) if engine == "opensearch" else None
        environment: dict[str, Any] = {"SEARCH_TIMEOUT_S": "10"} | ({"SEARCH_URL": url} if url else {})
        yield await stack.enter_async_context(running(folder / "data", workers=1, **environment)), url


async def _grow(system: System, before: int, size: int) -> tuple[float, int]:
    """Import what is missing; return how long it took and the most memory it had."""
    with tempfile.NamedTemporaryFile(prefix="doorbuster-catalogue-", suffix=".jsonl") as lines:
        for product in islice(make_products(count=size, seed=1), before, None):
            lines.write(msgspec.json.encode(product) + b"\n")
        lines.flush()
        began = perf_counter()
        peak_kb = await _peak_kb(command(), "import", lines.name, "--data", system.ready.data)
        return perf_counter() - began, peak_kb // 1024


async def _peak_kb(*arguments: str) -> int:
    """Run a command to its end and return the most memory it had, as last seen.

    Not from `wait4`: what that tells of a child begins with its parent's memory.

    Raises:
        RuntimeError: it failed.
    """
    process = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.DEVNULL)
    ended = asyncio.create_task(process.wait())
    peak_kb = 0
    while not ended.done():
        peak_kb = max(peak_kb, _high_water_kb(process.pid))
        await asyncio.wait({ended}, timeout=LOOK_S)
    if process.returncode:
        raise RuntimeError(f"doorbuster {arguments[1]} ended with {process.returncode}")
    return peak_kb


def _high_water_kb(pid: int) -> int:
    with suppress(OSError):  # it has ended just now
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return 0


async def _index(system: System, url: str) -> float:
    began = perf_counter()
    await output_of("reindex", "--data", system.ready.data, SEARCH_URL=url)
    return perf_counter() - began


async def _ask(base: str, size: int, asked: int) -> list[Asked]:
    async with httpx.AsyncClient(base_url=base, trust_env=False, timeout=30) as client:
        return [await _ask_kind(client, kind, queries) for kind, queries in kinds(size, asked + WARM).items()]


async def _ask_kind(client: httpx.AsyncClient, kind: str, queries: list[dict[str, str]]) -> Asked:
    took, found, refused = [], 0, 0
    for query in queries:
        began = perf_counter()
        answer = await client.get("/search", params=query)
        took.append((perf_counter() - began) * 1000)
        refused += answer.is_error
        found += 0 if answer.is_error else answer.json()["total"]
    counted = sorted(took[WARM:])
    return Asked(
        kind=kind,
        p50_ms=counted[len(counted) // 2],
        p95_ms=counted[len(counted) * 95 // 100],
        found=found // len(queries),
        refused=refused,
    )


def kinds(size: int, count: int, *, seed: int = 7) -> dict[str, list[dict[str, str]]]:
    """Return `count` different searches of each kind for a catalogue of `size` products.

    What differs is the limit where a catalogue has not so many words: it changes the answer's key, hardly its work.
    """
    random = Random(seed)
    sample = list(make_products(count=min(size, 5_000), seed=1))

    def words(product: Product, many: int) -> str:
        return " ".join(random.sample(product.name.replace(",", "").split(), many))

    def drawn(make: Callable[[Product], dict[str, str]]) -> list[dict[str, str]]:
        return [make(random.choice(sample)) | {"limit": str(20 + number % 20)} for number in range(count)]

    return {
        "one word": drawn(lambda p: {"q": p.name.split()[-2].strip(",")}),
        "two words": drawn(lambda p: {"q": words(p, 2)}),
        "four words": drawn(lambda p: {"q": words(p, 4)}),
        "a model number": drawn(lambda p: {"q": p.product_id}),
        "last word unfinished": drawn(lambda p: {"q": f"{p.brand} {p.name.split()[1][:3]}"}),
        "misspelt": drawn(lambda p: {"q": _misspelt(p)}),
        "two words, brand and price": drawn(lambda p: {"q": words(p, 2), "brand": p.brand, "max_price": "20000"}),
        "two words, by price": drawn(lambda p: {"q": words(p, 2), "sort": "price"}),
        "a brand, no words, by newest": drawn(lambda p: {"brand": p.brand, "sort": "newest"}),
    }


def _misspelt(product: Product) -> str:
    """Return a long word of the name without its fourth letter."""
    long = [word for word in product.name.replace(",", "").split() if len(word) > 5] or ["keyboard"]
    return long[-1][:3] + long[-1][4:]


def engines() -> list[Engine]:
    """Return the engines that can run here."""
    return ["postgres"] if search_node.missing() else ["postgres", "opensearch"]
