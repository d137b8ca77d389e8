"""How good search is: nDCG@10 over queries that people rated, by HTTP, on each backend. `make relevance`.

Owns a temporary instance with the rated catalogue in it. Products that nobody rated count as worthless, and queries
without any relevant product are left out. The data is not part of the project: without it there is nothing to measure.
"""

from __future__ import annotations

import asyncio
import csv
import math
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx

from loadtests.scene import search_node
from loadtests.scene.system import output_of, running

DATA = Path(__file__).parents[1].parent / "shared" / "data"
RATINGS, PRODUCTS = DATA / "icecat_ratings_dev.csv", DATA / "icecat_products.jsonl.gz"
SHOWN = 10
MAPPED = (
    "--map", "id=product_id", "--map", "title=name", "--map", "supplier=brand",
    "--map", "short_description=description", "--default", "category=Electronics", "--default", "currency=EUR",
)  # fmt: skip
Ratings = dict[str, dict[str, int]]


def read_ratings(file: Path) -> Ratings:
    """Return the rating of each product by query, without queries that have no relevant product."""
    found: Ratings = defaultdict(dict)
    with file.open(newline="") as lines:
        for row in csv.DictReader(lines):
            found[row["query"]][row["docid"]] = int(row["rating"])
    return {query: rated for query, rated in found.items() if any(rated.values())}


def ndcg(rated: dict[str, int], shown: list[str]) -> float:
    """Return the normalised discounted cumulative gain of what was shown, with gains of 2**rating - 1."""
    return _gain(rated.get(product, 0) for product in shown) / _gain(sorted(rated.values(), reverse=True))


def _gain(ratings: Iterable[int]) -> float:
    return math.fsum(
        (2.0**rating - 1) / math.log2(place + 2) for place, rating in zip(range(SHOWN), ratings, strict=False)
    )


async def measure(base: str, ratings: Ratings) -> dict[str, float]:
    """Return nDCG by query; a query that finds nothing has -1."""
    found = {}
    async with httpx.AsyncClient(base_url=base, trust_env=False, timeout=30) as client:
        for query, rated in ratings.items():
            answer = await client.get("/search", params={"q": query, "limit": SHOWN})
            answer.raise_for_status()
            shown = [item["product_id"] for item in answer.json()["items"]]
            found[query] = ndcg(rated, shown) if shown else -1.0
    return found


async def main() -> int:
    """Measure both backends and print the table."""
    if not (RATINGS.exists() and PRODUCTS.exists()):
        print(f"nothing to measure: {DATA} is not there")
        return 0
    ratings = read_ratings(RATINGS)
    engines = {"Postgres": await _measured(ratings, opensearch=False)}
    if lacking := search_node.missing():
        print(f"OpenSearch is left out: it needs {lacking}")
    else:
        engines["OpenSearch"] = await _measured(ratings, opensearch=True)
    for query in ratings:
        print(f"{query:26}" + "".join(f"{max(0.0, found[query]):8.2f}" for found in engines.values()))
    for name, found in engines.items():
        mean = sum(max(0.0, value) for value in found.values()) / len(found)
        empty = sum(value < 0 for value in found.values())
        print(f"{name:12} nDCG@{SHOWN} {mean:.3f}   {empty} of {len(found)} queries empty")
    return 0


async def _measured(ratings: Ratings, *, opensearch: bool) -> dict[str, float]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="doorbuster-relevance-")))
        environment: dict[str, Any] = {"SEARCH_TIMEOUT_S": "10"}
        if opensearch:
            environment["SEARCH_URL"] = await stack.enter_async_context(search_node.node())
        system = await stack.enter_async_context(running(folder / "data", workers=1, **environment))
        await output_of("import", str(PRODUCTS), *MAPPED, "--data", system.ready.data)
        if opensearch:
            await output_of("reindex", "--data", system.ready.data, SEARCH_URL=environment["SEARCH_URL"])
        return await measure(system.ready.base, ratings)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
