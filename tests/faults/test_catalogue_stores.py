"""Reads of the catalogue while its stores fail: the cache, replicas one after the other, the primary."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
from redis.asyncio import Redis

from catalogue.cache import items, shared
from catalogue.cache.shared import SharedCache
from catalogue.service import Catalogue
from db.connections.pool import Connection
from db.connections.read_server import Server
from db.connections.replicas import LateReadError, Replicas
from db.products import search
from db.products.catalogue_changes import Change
from db.products.products import Product, put_product
from doorbuster.embedded.processes import spawn
from doorbuster.errors import StoreUnavailableError
from doorbuster.redis_clients import plain_client
from tests.fixtures.proxy import Proxy
from tests.fixtures.replicas import Replicated, connected, reading
from tests.fixtures.turns import Watch
from tests.fixtures.waiting import eventually, wait_until

PRODUCTS = [f"p{number}" for number in range(50)]
TIMES = 2
ROOMY = {"store_timeout_s": 1.0 * TIMES, "replica_lag_max_s": 1.0 * TIMES}
"""So many times what is usual: a busy machine takes long for a replica's eight connections, and that is not meant."""


def product(product_id: str, price: int = 1) -> Product:
    return Product(
        product_id=product_id, name=product_id, brand="b", category="c", price=price, currency="EUR"
    )  # fmt: skip


@asynccontextmanager
async def a_shop(replicated: Replicated, **settings: object) -> AsyncIterator[tuple[Catalogue, Connection]]:
    """Products on the primary and the replica, and a process that reads them."""
    async with connected(replicated) as connection, reading(Catalogue(replicated.settings(**settings))) as process:
        for product_id in PRODUCTS:
            await put_product(connection, product(product_id))
        await until_replayed(process, connection)
        yield process, connection


async def until_replayed(process: Catalogue, connection: Connection) -> None:
    position = await connection.fetchval("select (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint")

    async def caught_up() -> bool:
        return all(replica.usable and replica.lsn >= position for replica in process.replicas.replicas)

    await eventually(caught_up, what="the replica to catch up")


async def price(process: Catalogue, product_id: str) -> int:
    copy = await process.reader.get(items.product(product_id))
    item = items.decode_item(copy.body)
    assert item is not None
    return item.price


async def test_an_emptied_cache_costs_one_query_a_product_a_process(replicated: Replicated) -> None:
    async with a_shop(replicated) as (process, _), reading(Catalogue(replicated.settings())) as other:
        for one in (process, other):
            await asyncio.gather(*(price(one, product_id) for product_id in PRODUCTS))
        async with Redis.from_url(replicated.cache.url) as cache:
            await cache.flushall()
        for one in (process, other):
            one.reader.outdate_everything()
        before = [sum(one.replicas.reads.values()) for one in (process, other)]
        await asyncio.gather(*(price(one, product_id) for one in (process, other) for product_id in PRODUCTS * 40))
        asked = [sum(one.replicas.reads.values()) - b for one, b in zip((process, other), before, strict=True)]
        assert all(queries <= len(PRODUCTS) for queries in asked), asked
        assert process.replicas.reads["primary"] == other.replicas.reads["primary"] == 0


async def test_reads_go_on_from_the_replica_while_the_cache_is_dead(replicated: Replicated) -> None:
    async with a_shop(replicated, catalogue_fresh_s=0.2) as (process, connection):
        async with dead_cache(replicated):
            before, slowest = sum(process.replicas.reads.values()), 0.0
            began = time.monotonic()
            while time.monotonic() - began < 1.5:
                watch = Watch()
                await asyncio.gather(*(price(process, product_id) for product_id in PRODUCTS * 4))
                slowest = max(slowest, watch.elapsed_s())
                await asyncio.sleep(0.02)
            queries = sum(process.replicas.reads.values()) - before
            # Each product once in the life of a process's copy, whatever is asked; twice with early refreshes.
            assert queries <= len(PRODUCTS) * (1.5 / 0.2) * 2
            assert slowest < 0.6
            await put_product(connection, product("p0", 7))
            assert process.replicas.reads["primary"] == 0
            await eventually(lambda: _costs(process, "p0", 7), within_s=2, what="the new price without a cache")
        before = process.reader.answered["shared"]
        await eventually(lambda: _answers_from_cache(process, before), within_s=5, what="the cache to be used again")


async def _costs(process: Catalogue, product_id: str, expected: int) -> bool:
    return await price(process, product_id) == expected


async def _answers_from_cache(process: Catalogue, before: int) -> bool:
    await asyncio.gather(*(price(process, product_id) for product_id in PRODUCTS))
    return process.reader.answered["shared"] > before


@asynccontextmanager
async def dead_cache(replicated: Replicated) -> AsyncIterator[None]:
    """Kill the cache; another is there afterwards, empty."""
    async with Redis.from_url(replicated.cache.url) as cache:
        pid = (await cache.info("server"))["process_id"]
    os.kill(pid, signal.SIGKILL)
    try:
        yield
    finally:
        process = spawn(replicated.cache.command({"PATH": os.environ["PATH"]}))
        await asyncio.to_thread(wait_until, replicated.cache.is_ready, within_s=20, what="the cache")
        replicated.successors.append(process)


async def test_a_killed_replica_is_left_out_and_comes_back(replicated: Replicated) -> None:
    async with a_shop(replicated, catalogue_fresh_s=0.05, catalogue_keep_s=1) as (process, _):
        (replica,) = process.replicas.replicas
        replicated.replica.kill()
        process.reader.outdate_everything()
        await asyncio.gather(*(price(process, product_id) for product_id in PRODUCTS))
        assert process.replicas.reads["primary"] > 0
        await eventually(lambda: _is(replica, usable=False), what="the replica to be left out")
        replicated.replica.start()
        await asyncio.to_thread(replicated.replica.wait)
        await eventually(lambda: _is(replica, usable=True), what="the replica to be back")
        await asks_the_replica_alone(process)


async def test_a_lagging_replica_is_left_out_and_comes_back(replicated: Replicated) -> None:
    async with a_shop(replicated, catalogue_fresh_s=0.05, replica_lag_max_s=0.5) as (process, connection):
        (replica,) = process.replicas.replicas
        await replicated.replica.pause()
        stored = await put_product(connection, product("p0", 5))
        await process.changed(connection, [Change("p0", stored.version, "c")])
        assert await price(process, "p0") == 5
        await eventually(lambda: _is(replica, usable=False), what="the replica to be left out")
        await replicated.replica.resume()
        await eventually(lambda: _is(replica, usable=True), what="the replica to be back")
        await asks_the_replica_alone(process)


async def test_a_promoted_replica_is_left_out_and_comes_back_when_it_is_made_anew(replicated: Replicated) -> None:
    async with a_shop(replicated, catalogue_fresh_s=0.05) as (process, connection):
        (replica,) = process.replicas.replicas
        await replicated.replica.promote()
        await eventually(lambda: _is(replica, usable=False), what="the promoted one to be left out")
        await put_product(connection, product("p0", 9))
        await eventually(lambda: _costs(process, "p0", 9), within_s=2)
        replicated.replica.make()
        await asyncio.to_thread(replicated.replica.wait)
        await eventually(lambda: _is(replica, usable=True), what="the replica to be back")
        await asks_the_replica_alone(process)


async def test_the_primary_is_asked_a_few_at_a_time_when_no_replica_is_there(replicated: Replicated) -> None:
    async with a_shop(replicated, primary_reads_max=3) as (process, _):
        replicated.replica.kill()
        busiest = 0

        async def slow(connection: Connection, _lsn: int) -> None:
            nonlocal busiest
            busiest = max(busiest, process.replicas.primary.busy)
            await connection.execute("select pg_sleep(0.01)")

        answers = await asyncio.gather(*(process.replicas.read(slow) for _ in range(60)), return_exceptions=True)
        assert busiest == 3
        refused = [answer for answer in answers if answer is not None]
        assert all(isinstance(answer, StoreUnavailableError) for answer in refused), refused
        assert len(refused) < len(answers)
        replicated.replica.start()
        await asyncio.to_thread(replicated.replica.wait)


async def test_replicas_that_are_busy_refuse_and_leave_the_primary_alone(replicated: Replicated) -> None:
    async with a_shop(replicated, **ROOMY) as (process, _):
        (replica,) = process.replicas.replicas

        async def slow(connection: Connection, _lsn: int) -> None:
            await connection.execute("select pg_sleep(0.3)")

        answers = await asyncio.gather(*(process.replicas.read(slow) for _ in range(60)), return_exceptions=True)
        refused = [answer for answer in answers if answer is not None]
        assert 0 < len(refused) < len(answers)
        assert {type(answer) for answer in refused} == {LateReadError}
        assert process.replicas.reads["primary"] == 0
        assert replica.usable


async def test_a_read_that_takes_too_long_is_not_held_against_the_replica(replicated: Replicated) -> None:
    async with a_shop(replicated) as (process, _):
        (replica,) = process.replicas.replicas
        asked: list[bool] = []

        async def slow_there(connection: Connection, _lsn: int) -> bool:
            there: bool = await connection.fetchval("select pg_is_in_recovery()")
            asked.append(there)
            await connection.execute("select pg_sleep(5)" if there else "select 1")
            return there

        assert await process.replicas.read(slow_there) is False
        assert asked == [True, True, False]
        assert replica.usable
        await asks_the_replica_alone(process)


@pytest.mark.parametrize("late_s", [0.7 * TIMES, 1.3 * TIMES])
async def test_a_process_that_does_not_get_its_turn_leaves_the_primary_alone(
    replicated: Replicated, late_s: float
) -> None:
    """Whatever it waits for is late then: reads, a look at the replica, what it knows of how far that one is."""
    async with a_shop(replicated, **ROOMY) as (process, _):
        for _ in range(2):
            asyncio.get_running_loop().call_later(0.01, time.sleep, late_s)  # holds up all of the process
            looking = asyncio.create_task(process.replicas.look())
            there = await asyncio.gather(*(process.replicas.read(_a_while) for _ in range(20)))
            await looking
            assert all(there)
        assert process.replicas.reads["primary"] == 0


async def test_a_process_late_inside_its_transaction_finds_it_as_it_left_it(replicated: Replicated) -> None:
    async def late(connection: Connection, _lsn: int) -> bool:
        async with search.bounded(connection, 5, ""):
            asyncio.get_running_loop().call_soon(time.sleep, 1.3)
            await asyncio.sleep(0)
            return bool(await connection.fetchval("select pg_is_in_recovery()"))

    async with a_shop(replicated) as (process, _):
        assert all([await process.replicas.read(late) for _ in range(3)])
        assert process.replicas.replicas[0].usable
        assert process.replicas.reads["primary"] == 0


async def _a_while(connection: Connection, _lsn: int) -> bool:
    await connection.execute("select pg_sleep(0.02)")
    return bool(await connection.fetchval("select pg_is_in_recovery()"))


async def test_the_first_read_of_a_process_goes_to_a_replica(replicated: Replicated) -> None:
    async with a_shop(replicated), reading(Catalogue(replicated.settings()), settled=False) as process:
        assert await price(process, "p0") == 1
        assert not process.replicas.reads["primary"]


async def test_a_replica_that_stops_answering_is_left_out(replicated: Replicated) -> None:
    async with a_shop(replicated, catalogue_fresh_s=0.05) as (process, _):
        (replica,) = process.replicas.replicas
        with replicated.replica.stopped():
            process.reader.outdate_everything()
            assert await price(process, "p0") == 1
            await eventually(lambda: _is(replica, usable=False), within_s=5, what="the replica to be left out")
        await eventually(lambda: _is(replica, usable=True), what="the replica to be back")


async def test_replicas_go_on_serving_while_the_primary_does_not_answer(replicated: Replicated) -> None:
    async with a_shop(replicated) as (process, _):
        replicas = Replicas(
            "postgresql://postgres@127.0.0.1:1/none", [replicated.replica.url], lag_max_s=0.5, primary_max=2,
            timeout_s=10,
        )  # fmt: skip
        await replicas.open()
        try:
            await eventually(partial(_seen, replicas), what="the replica to be in use")
            process.reader._replicas = replicas
            process.reader.outdate_everything()
            assert await price(process, "p3") == 1
            assert replicas.reads["replica 1"] == 1
        finally:
            await replicas.close()


async def _seen(replicas: Replicas) -> bool:
    await replicas.look()
    return replicas.replicas[0].usable


async def asks_the_replica_alone(process: Catalogue) -> None:
    async def only_replica() -> bool:
        process.reader.outdate_everything()
        process.replicas.reads.clear()
        await asyncio.gather(*(price(process, product_id) for product_id in PRODUCTS))
        return not process.replicas.reads["primary"] and process.replicas.reads["replica 1"] > 0

    await eventually(only_replica, what="the replica to take all reads")


async def _is(replica: Server, *, usable: bool) -> bool:
    return replica.usable is usable


@pytest.mark.parametrize("in_turns", [True, False])
async def test_calls_that_wait_for_their_turn_do_not_take_the_cache_for_away(
    replicated: Replicated, monkeypatch: pytest.MonkeyPatch, in_turns: bool
) -> None:
    """Negative control: without turns they wait for a connection, and longer than the cache itself may take."""
    monkeypatch.setattr(shared, "CALLS_MAX", 4 if in_turns else 1_000)
    monkeypatch.setattr(shared, "LOOKS_OUT", 1_000)
    monkeypatch.setattr(shared, "LOOKS_MAX", 1)  # looks that go together need no turns
    monkeypatch.setattr(shared, "WAIT_S", 60.0)
    with Proxy(replicated.cache.url) as network:
        network.delay(0.1)
        redis = plain_client(network.url, timeout_s=2.5, connections=5)
        cache = SharedCache(redis, keep_s=60)
        looks = await asyncio.gather(*(cache.look(f"product:none-{n}", items.ITEM) for n in range(180)))
        await redis.aclose()
    assert all(looks) is in_turns
