"""Former prices are forgotten once no order accepted before can be drained, and not before."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from db import sales
from doorbuster import keys
from tests.fixtures.draining import make_product
from workers.drain.former_prices import forget
from workers.scheduler import Scheduler

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from db.connections.pool import Connection
    from tests.fixtures.shop import Shop


@pytest.fixture
async def changed(shop: Shop, db: Connection) -> Shop:
    """A sale of two partitions whose lamp cost 100 until now, and costs 120."""
    await shop.stock(lamp=10)
    await shop.open_sale("lamp", partitions=2)
    return shop


async def _change(db: Connection, price: int) -> None:
    await _next_millisecond()
    await make_product(db, "lamp", price=price)
    await _next_millisecond()


async def _next_millisecond() -> None:
    """Entries know the time of their acceptance to the millisecond."""
    now_ms = time.time_ns() // 1_000_000
    await asyncio.sleep((now_ms + 2) / 1000 - time.time())


async def _kept(db: Connection) -> list[int]:
    rows = await db.fetch("select own_price from former_prices order by until")
    return [row["own_price"] for row in rows]


async def test_what_an_order_may_need_stays_until_every_partition_is_beyond(
    changed: Shop, db: Connection, orders_redis: Redis
) -> None:
    (before,) = await changed.accept(changed.entry("ada", lamp=1), partition=1)
    await _change(db, 120)
    await changed.accept(changed.entry("bob", lamp=1), partition=0)
    await changed.drain(0)
    assert await forget(db, orders_redis, keep_s=0) == 0
    await changed.drain(1)
    assert await db.fetchval("select total from orders where order_id = $1", before) == 100
    assert await forget(db, orders_redis, keep_s=3600) == 0  # an entry may come again
    assert await forget(db, orders_redis, keep_s=0) == 1
    assert await _kept(db) == []


async def test_of_several_the_needed_ones_stay(changed: Shop, db: Connection, orders_redis: Redis) -> None:
    await _change(db, 110)
    await changed.accept(changed.entry("ada", lamp=1), partition=0)
    await changed.drain(0)
    (waiting,) = await changed.accept(changed.entry("bob", lamp=1), partition=0)
    await _change(db, 120)
    assert await forget(db, orders_redis, keep_s=0) == 1
    assert await _kept(db) == [110]
    await changed.drain(0)
    assert await db.fetchval("select total from orders where order_id = $1", waiting) == 110
    assert await forget(db, orders_redis, keep_s=0) == 1


async def test_a_closed_sale_keeps_what_was_accepted_and_is_not_drained(
    changed: Shop, db: Connection, orders_redis: Redis
) -> None:
    (before,) = await changed.accept(changed.entry("ada", lamp=1), partition=0)
    await _change(db, 120)
    await sales.set_phase(db, "sale-1", "closed")
    assert await forget(db, orders_redis, keep_s=0) == 0
    await changed.drain(0)
    assert await db.fetchval("select total from orders where order_id = $1", before) == 100
    assert await forget(db, orders_redis, keep_s=0) == 1


async def test_of_a_store_that_was_replaced_nothing_is_known(
    changed: Shop, db: Connection, orders_redis: Redis
) -> None:
    await changed.accept(changed.entry("ada", lamp=1), partition=0)
    await changed.drain(0)
    await _change(db, 120)
    await orders_redis.delete(keys.stream(changed.sale_number, 0))
    assert await forget(db, orders_redis, keep_s=0) == 0
    await changed.accept(changed.entry("bob", lamp=1), partition=0)
    await changed.drain(0)
    assert await forget(db, orders_redis, keep_s=0) == 1


async def test_the_scheduler_forgets_what_is_old(changed: Shop, db: Connection) -> None:
    await _change(db, 120)
    await _change(db, 130)
    await db.execute("update former_prices set until = now() - interval '25 h' where own_price = 100")
    scheduler = Scheduler(changed.settings)
    try:
        await scheduler.tick()
    finally:
        await scheduler.close()
    assert await _kept(db) == [120]
