"""What a new timeline of Postgres means to what was kept of the old one; and how all processes know of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from redis.asyncio import Redis

from db import sales
from db.connections import fence as fences
from db.connections import pool as pools
from db.connections.fence import StalePrimaryError, remember_in
from db.work import shifts, timelines
from doorbuster.orderstore import gate
from doorbuster.orderstore.beside.timelines import Timelines
from tests.fixtures.draining import Draining, make_product


async def test_the_highest_that_anybody_saw_is_kept(orders_redis: Redis) -> None:
    memory = Timelines(orders_redis)
    assert [await memory.raise_to(7, timeline) for timeline in (0, 2, 1, 3, 0)] == [0, 2, 2, 3, 3]
    assert await memory.raise_to(-8, 1) == 1


async def test_a_process_that_begins_knows_of_a_primary_that_was_replaced(
    database_url: str, orders_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await pools.connect(database_url)
    assert before.identity is not None
    cluster_id, timeline = before.identity.cluster_id, before.identity.timeline
    await before.close()
    await Timelines(orders_redis).raise_to(cluster_id, timeline + 1)
    monkeypatch.setattr(fences, "_highest", {})  # as in a process that begins
    remember_in(Timelines(orders_redis))
    try:
        with pytest.raises(StalePrimaryError, match=f"its timeline is {timeline}, {timeline + 1} was seen"):
            await pools.connect(database_url)
    finally:
        remember_in(None)


async def test_an_order_store_that_is_away_stops_nobody(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Redis.from_url("redis://127.0.0.1:1/0") as nobody:
        remember_in(Timelines(nobody))
        try:
            connection = await pools.connect(database_url)
            assert await connection.fetchval("select 1") == 1
            await connection.close()
        finally:
            remember_in(None)


async def test_copies_of_a_change_that_was_lost_are_superseded(database_url: str, orders_redis: Redis) -> None:
    connection = await pools.connect(database_url)
    await make_product(connection, "p", units=1)
    await Draining.of(connection, [sales.SaleProduct(product_id="p")])
    assert not await timelines.note(connection)
    sale = (await sales.live_sales(connection))[0]
    told = gate.gate_of(sale, 0)
    # Ops put it on hold; the standby that is promoted does not know of it.
    assert await gate.publish(orders_redis, replace(told, version=told.version + 1, phase="hold"))
    assert not await gate.publish(orders_redis, told)
    assert connection.identity is not None
    connection.identity = connection.identity._replace(timeline=connection.identity.timeline + 1)
    assert await timelines.note(connection)
    assert not await timelines.note(connection)
    renewed = gate.gate_of((await sales.live_sales(connection))[0], 0)
    assert await gate.publish(orders_redis, renewed)
    assert renewed.phase == "open"
    await connection.close()


async def test_a_fence_that_was_given_twice_is_known_by_its_holder(db: pools.Connection) -> None:
    """The one given last was lost with the former primary, and so the number is another holder's now."""
    name, fence = "relay", await shifts.acquire(db, "relay", holder="new", lease_s=60)
    assert fence is not None
    assert await shifts.is_mine(db, name, fence, holder="new")
    assert not await shifts.is_mine(db, name, fence, holder="old")
    assert not await shifts.is_mine(db, name, fence + 1, holder="new")
