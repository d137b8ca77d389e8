"""Promise P8: no read is stale for good. Fills, updates, invalidations, a lagging replica race; and the guards off."""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

import pytest
from redis.asyncio import Redis

from catalogue.cache import items, subjects
from catalogue.cache.floors import MinVersions
from catalogue.cache.read_through import Loaded, ReadSource
from catalogue.cache.shared import CacheLook, Filled, SharedCache
from catalogue.cache.subjects import NO_FLOOR, MinVersion
from catalogue.service import Catalogue
from db.connections.pool import Connection
from db.products.catalogue_changes import Change
from db.products.products import Product, put_product
from doorbuster import keys
from tests.fixtures.replicas import Replicated, connected, reading
from tests.fixtures.waiting import eventually

BOUND_S = 2.0
"""CATALOGUE_FRESH_S and REPLICA_LAG_MAX_S together; docs/catalogue.md."""
FRESH_S, OVER_S = 0.2, 0.3
"""Life of a process's own copy, and a time after which it is over for certain: what is shown then was read anew."""
READS, BY_REPLICA = 1_000, 10
"""After more than so many reads, and more than so many that a replica answered, it was a race."""


def product(product_id: str, price: int) -> Product:
    return Product(
        product_id=product_id, name=product_id, brand="b", category="c", price=price, currency="EUR",
    )  # fmt: skip


async def version_shown(catalogue: Catalogue, product_id: str) -> int:
    copy = await catalogue.reader.get(items.product(product_id))
    return copy.version


class Ledger:
    """Which version was acknowledged when."""

    def __init__(self) -> None:
        self._acknowledged: dict[str, list[tuple[float, int]]] = defaultdict(list)

    def acknowledge(self, product_id: str, version: int) -> None:
        self._acknowledged[product_id].append((time.monotonic(), version))

    def owed(self, product_id: str, began: float) -> int:
        """Return the version that a read which began then must show at least."""
        return max((v for at, v in self._acknowledged[product_id] if at <= began - BOUND_S), default=0)

    def latest(self, product_id: str) -> int:
        return self._acknowledged[product_id][-1][1]


class Race:
    """Processes that read while rows change, half of the invalidations are lost, the cache is emptied, replay halts."""

    def __init__(self, replicated: Replicated, processes: list[Catalogue], connection: Connection) -> None:
        self._replicated, self._processes, self._connection = replicated, processes, connection
        self._ending = asyncio.Event()
        self._ledger = Ledger()
        self.products = [f"p{number}" for number in range(6)]
        self.stale: list[str] = []
        self.reads = 0

    async def run(self, cache: Redis, seconds: float) -> None:
        """Let everything run for so long, and on until it was a race: a busy machine reads less in a time."""
        for product_id in self.products:
            await self._update(product_id)
        work = [self._updates(), self._disturb(cache), *(self._reads(one) for one in self._processes * 4)]
        tasks = [asyncio.create_task(one) for one in work]
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)

        async def was_one() -> bool:
            return (self.reads > READS and self.by_replica > BY_REPLICA) or any(task.done() for task in tasks)

        try:
            await eventually(was_one, within_s=30, what="more reads")
        finally:
            self._ending.set()
            await asyncio.gather(*tasks)

    @property
    def by_replica(self) -> int:
        """How many reads of the database a replica answered."""
        return sum(process.replicas.reads["replica 1"] for process in self._processes)

    async def shown_last(self) -> list[dict[str, int]]:
        """Return what each process shows once the bound has passed without a change."""
        await asyncio.sleep(BOUND_S)  # the bound itself is what is tested: nothing signals that it has passed
        return [{one: await version_shown(process, one) for one in self.products} for process in self._processes]

    def latest(self) -> dict[str, int]:
        """Return the versions acknowledged last."""
        return {one: self._ledger.latest(one) for one in self.products}

    async def _update(self, product_id: str) -> None:
        stored = await put_product(self._connection, product(product_id, random.randrange(10**9)))
        if random.random() < 0.5:
            await self._processes[0].changed(self._connection, [Change(product_id, stored.version, stored.category)])
        self._ledger.acknowledge(product_id, stored.version)

    async def _updates(self) -> None:
        while not self._ending.is_set():
            await self._update(random.choice(self.products))
            await asyncio.sleep(random.uniform(0, 0.05))

    async def _reads(self, process: Catalogue) -> None:
        while not self._ending.is_set():
            product_id, began = random.choice(self.products), time.monotonic()
            version = await version_shown(process, product_id)
            owed = self._ledger.owed(product_id, began)
            if version < owed:
                self.stale.append(f"{product_id}: {version} shown, {owed} owed")
            self.reads += 1
            await asyncio.sleep(random.uniform(0, 0.005))

    async def _disturb(self, cache: Redis) -> None:
        while not self._ending.is_set():
            await self._replicated.replica.pause()
            await asyncio.sleep(random.uniform(0, 1.6))
            await self._replicated.replica.resume()
            await asyncio.sleep(random.uniform(0, 0.6))
            if random.random() < 0.3:
                await cache.flushall()


async def test_racing_reads_never_show_what_was_replaced_beyond_the_bound(replicated: Replicated) -> None:
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(connected(replicated))
        cache = await stack.enter_async_context(Redis.from_url(replicated.cache.url))
        processes = [
            await stack.enter_async_context(reading(Catalogue(replicated.settings()))) for _ in range(3)
        ]  # fmt: skip
        race = Race(replicated, processes, connection)
        await race.run(cache, 8)
        assert race.stale == []
        assert await race.shown_last() == [race.latest()] * 3
    assert race.reads > READS
    assert race.by_replica > BY_REPLICA, "the replica answered nothing: the race was none"


class UnguardedFloors(MinVersions):
    """Floors that are never there."""

    def put(self, floors: Mapping[str, MinVersion]) -> list[str]:
        return []


class UnguardedCache(SharedCache):
    """Stores whatever a fill brings, as a cache without versions would; an invalidation deletes."""

    async def look(self, subject: str, part: str, product_id: str | None = None) -> CacheLook | None:
        look = await super().look(subject, part, product_id)
        assert look is not None
        return look._replace(floor=NO_FLOOR)

    async def fill(self, subject: str, part: str, began_ms: int, version: int, body: bytes) -> Filled:
        value = b"%d %d %d " % (version, began_ms, began_ms + 3_600_000) + body
        await self._redis.hset(keys.catalogue(subject), part, value)
        return Filled(stored=True)

    async def invalidate(self, floors: Mapping[str, MinVersion]) -> None:
        await self._redis.delete(*map(keys.catalogue, floors))


def a_process(replicated: Replicated, *, guarded: bool) -> Catalogue:
    if guarded:
        return Catalogue(replicated.settings(catalogue_fresh_s=FRESH_S))
    # Without versions nothing tells a lagging replica's row from the new one either: the lag allowed is as good as any.
    made = Catalogue(replicated.settings(catalogue_fresh_s=FRESH_S, replica_lag_max_s=60))
    made.shared = UnguardedCache(made._redis, keep_s=3600)
    made.reader._shared, made.reader._floors = made.shared, UnguardedFloors(keep_s=0)
    return made


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_fill_that_began_before_an_update_and_ends_after_it(replicated: Replicated, guarded: bool) -> None:
    """The oldest race of caches. Negative control: with the version check off, the old row stays for good."""
    read, written = asyncio.Event(), asyncio.Event()

    async def slow(connection: Connection, lsn: int) -> Loaded:
        loaded = await items.product("p").load(connection, lsn)
        read.set()
        await written.wait()
        return loaded

    async with (
        connected(replicated) as connection,
        reading(a_process(replicated, guarded=guarded)) as process,
        reading(a_process(replicated, guarded=guarded)) as other,
    ):
        await put_product(connection, product("p", 1))
        await until_replayed(process, connection)
        filling = asyncio.create_task(process.reader.get(ReadSource(subjects.product("p"), items.ITEM, slow, "p")))
        await asyncio.wait_for(read.wait(), 10)
        stored = await put_product(connection, product("p", 2))
        await other.changed(connection, [Change("p", stored.version, "c")])
        await until_replayed(process, connection)
        written.set()
        await filling
        await asyncio.sleep(OVER_S)  # what counts is what was left in the cache
        shown = [await version_shown(one, "p") for one in (process, other)]
        await asyncio.sleep(BOUND_S if not guarded else 0)
        shown_later = [await version_shown(one, "p") for one in (process, other)]
    assert (shown, shown_later) == (([2, 2], [2, 2]) if guarded else ([1, 1], [1, 1]))


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_replica_that_has_not_replayed_the_update(replicated: Replicated, guarded: bool) -> None:
    """Negative control: without the check the replica's old row is cached, and stays when the replica has caught up."""
    async with connected(replicated) as connection, reading(a_process(replicated, guarded=guarded)) as process:
        await put_product(connection, product("p", 1))
        await until_replayed(process, connection)
        assert await version_shown(process, "p") == 1
        await replicated.replica.pause()
        stored = await put_product(connection, product("p", 2))
        await process.changed(connection, [Change("p", stored.version, "c")])
        await asyncio.sleep(OVER_S)
        shown = await version_shown(process, "p")
        await replicated.replica.resume()
        await until_replayed(process, connection)
        await asyncio.sleep(OVER_S)
        shown_later = await version_shown(process, "p")
    assert (shown, shown_later) == ((2, 2) if guarded else (1, 1))


async def until_replayed(process: Catalogue, connection: Connection) -> None:
    """Wait until the replica shows what is committed."""
    position: Any = await connection.fetchval("select (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint")
    (replica,) = process.replicas.replicas

    async def caught_up() -> bool:
        return replica.lsn >= position

    await eventually(caught_up, what="the replica to catch up")
