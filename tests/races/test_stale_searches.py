"""Promise P8 for searches: kept answers, coalescing and a lagging replica race with updates; and the age limit off."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import AsyncExitStack

import msgspec

from catalogue.search.interface import Query
from catalogue.search.postgres_backend import PostgresSearch
from catalogue.search.service import Search
from catalogue.service import Catalogue
from db.connections.pool import Connection
from db.products.products import Product, put_product
from tests.fixtures.replicas import Replicated, connected, reading

BOUND_S = 2.0
"""CATALOGUE_FRESH_S and REPLICA_LAG_MAX_S together; docs/catalogue.md."""
PRODUCTS = ("alder", "birch", "cedar")


class Race:
    """Processes that search while prices change and replay halts; no change is heard of but by age."""

    def __init__(self, replicated: Replicated, connection: Connection, fresh_s: float) -> None:
        self._replicated, self._connection, self._fresh_s = replicated, connection, fresh_s
        self._ending, self._stale_seen = asyncio.Event(), asyncio.Event()
        self._acknowledged: dict[str, list[tuple[float, int]]] = {name: [] for name in PRODUCTS}
        self.stale: list[str] = []
        self.from_replica = 0
        self.searches: list[Search] = []

    async def run(self, catalogues: list[Catalogue], seconds: float, *, until_stale: bool) -> None:
        self.searches = [
            Search(PostgresSearch(one.replicas, timeout_s=1, at_once=3), one.replicas, fresh_s=self._fresh_s)
            for one in catalogues
        ]
        for name in PRODUCTS:
            await self._update(name)
        work = [self._updates(), self._disturb(), *(self._search(one) for one in self.searches * 6)]
        tasks = [asyncio.create_task(one) for one in work]
        if until_stale:
            tasks.append(asyncio.create_task(self._stale_seen.wait()))
        ends = asyncio.FIRST_COMPLETED if until_stale else asyncio.FIRST_EXCEPTION
        await asyncio.wait(tasks, timeout=seconds, return_when=ends)
        self._stale_seen.set()
        self._ending.set()
        await asyncio.gather(*tasks)

    async def _update(self, name: str) -> None:
        made = Product(
            product_id=name, name=name, brand="b", category="c", price=random.randrange(10**6), currency="EUR"
        )
        stored = await put_product(self._connection, made)
        self._acknowledged[name].append((time.monotonic(), stored.version))

    async def _updates(self) -> None:
        while not self._ending.is_set():
            await self._update(random.choice(PRODUCTS))
            await asyncio.sleep(random.uniform(0, 0.05))

    async def _search(self, search: Search) -> None:
        while not self._ending.is_set():
            name, began = random.choice(PRODUCTS), time.monotonic()
            answer = await search.page(Query(random.choice((name, f" {name.upper()} "))))
            (item,) = msgspec.json.decode(answer.body)["items"]
            owed = max((v for at, v in self._acknowledged[name] if at <= began - BOUND_S), default=0)
            if item["version"] < owed:
                self.stale.append(f"{name}: {item['version']} shown, {owed} owed")
                self._stale_seen.set()
            await asyncio.sleep(random.uniform(0, 0.005))

    async def _disturb(self) -> None:
        while not self._ending.is_set():
            await self._replicated.replica.pause()
            await asyncio.sleep(random.uniform(0, 1.6))
            await self._replicated.replica.resume()
            await asyncio.sleep(random.uniform(0, 0.6))


async def race(replicated: Replicated, fresh_s: float, seconds: float, *, until_stale: bool = False) -> Race:
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(connected(replicated))
        catalogues = [
            await stack.enter_async_context(reading(Catalogue(replicated.settings()))) for _ in range(2)
        ]  # fmt: skip
        made = Race(replicated, connection, fresh_s)
        await made.run(catalogues, seconds, until_stale=until_stale)
        made.from_replica = sum(one.replicas.reads["replica 1"] for one in catalogues)
    return made


async def test_searches_never_show_what_was_replaced_beyond_the_bound(replicated: Replicated) -> None:
    made = await race(replicated, 1.0, 8)
    assert made.from_replica > 10, "the replica answered nothing"
    assert made.stale == []
    for search in made.searches:
        assert search.answered["process"] > 10 * search.answered["backend"] > 0
        assert search.answered["coalesced"] > 0


async def test_without_the_age_limit_they_would(replicated: Replicated) -> None:
    """Negative control: it ends with the first stale answer, for which a busy machine may take its time."""
    assert (await race(replicated, 60.0, 60, until_stale=True)).stale != []
