"""The outflow of rooms, measured and set on real stores."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from db import sales
from db.connections.pool import Connection
from db.sales import Sale, SaleProduct, SaleSpec
from db.work import cursors
from doorbuster import keys
from doorbuster.errors import StoreUnavailableError
from tests.fixtures.draining import make_product
from tests.fixtures.shop import Shop
from tests.fixtures.waiting import eventually
from waitingroom.outflow import CALM_STEPS
from waitingroom.room import RoomState
from waitingroom.room_store import Room
from waitingroom.sale_config import room_config
from workers.room_outflow import Outflow

RATE = 100.0


async def make_sale(db: Connection, **room: object) -> Sale:
    for product_id in ("lamp", "tent"):
        await make_product(db, product_id, units=1_000)
    products = [SaleProduct(product_id="lamp"), SaleProduct(product_id="tent", quantity=500)]
    terms = {"mode": "always", "rate_per_s": RATE, "thresholds": {"backlog": 10, "lag_ms": 60_000}} | room
    return await sales.create_sale(db, SaleSpec(sale_id="sale", products=products, room=terms))


@pytest.fixture
def outflow(orders_redis: Redis, jobs_redis: Redis) -> Outflow:
    return Outflow(orders_redis, jobs_redis, timeout_s=2.0, payment_timeout_s=2.0)


async def state_of(sale: Sale, rooms: Redis) -> RoomState:
    return await Room(rooms, lambda: room_config(sale)).tick()


async def fill(orders: Redis, sale: Sale, entries: int) -> None:
    for _ in range(entries):
        await orders.xadd(keys.stream(sale.number, 0), {"e": b"x"})
    await orders.hincrby(keys.gate(sale.number, 0), "accepted", entries)


async def test_a_backlog_slows_it_down_and_a_drained_one_lets_it_recover(
    db: Connection, orders_redis: Redis, jobs_redis: Redis, outflow: Outflow
) -> None:
    sale = await make_sale(db)
    await outflow.step(db)
    assert (await state_of(sale, jobs_redis)).rate_now == RATE
    await fill(orders_redis, sale, 11)
    await outflow.step(db)
    assert (await state_of(sale, jobs_redis)).rate_now == pytest.approx(70)
    last = (await orders_redis.xrevrange(keys.stream(sale.number, 0), count=1))[0][0].decode()
    await cursors.read(db, sale.number, 0)
    await cursors.advance(db, sale.number, 0, cursors.CursorStep("0-0", last, 11))
    await outflow.step(db)
    assert (await state_of(sale, jobs_redis)).rate_now == pytest.approx(80)


async def test_a_provider_that_takes_no_more_slows_it_down(
    shop: Shop, db: Connection, jobs_redis: Redis, outflow: Outflow
) -> None:
    """Its 429s leave payments due, which are late, which the room follows; once it takes them the room recovers."""
    sale = await make_sale(db)
    shop.sale_number = sale.number
    await outflow.step(db)
    ids = await shop.buy("ada", "bob", lamp=1, token="429:3")
    await shop.drain()
    settling = asyncio.create_task(shop.settle())

    async def is_left_alone() -> bool:
        return bool(await db.fetchval("select payments_paused = 'rate_limited' from shifts where name like 'settle:%'"))

    await eventually(is_left_alone)
    assert await shop.statuses(ids) == ["pending", "pending"]
    await db.execute("update reservations set due_at = due_at - interval '70 s'")  # as if it had been so for a minute
    await outflow.step(db)
    assert (await state_of(sale, jobs_redis)).rate_now == pytest.approx(0.7 * RATE)
    await settling
    assert await shop.statuses(ids) == ["confirmed", "confirmed"]
    await outflow.step(db)
    assert (await state_of(sale, jobs_redis)).rate_now == pytest.approx(0.8 * RATE)


async def test_an_old_entry_slows_it_down(
    db: Connection, orders_redis: Redis, jobs_redis: Redis, outflow: Outflow
) -> None:
    sale = await make_sale(db, thresholds={"lag_ms": 1_000})
    await outflow.step(db)
    long_ago = int((datetime.now(UTC) - timedelta(seconds=5)).timestamp() * 1000)
    await orders_redis.xadd(keys.stream(sale.number, 0), {"e": b"x"}, id=f"{long_ago}-0")
    await outflow.step(db)
    assert (await state_of(sale, jobs_redis)).rate_now == pytest.approx(70)


async def test_orders_refused_for_the_backlog_slow_it_down(
    db: Connection, orders_redis: Redis, jobs_redis: Redis, outflow: Outflow
) -> None:
    sale = await make_sale(db)
    await outflow.step(db)
    await orders_redis.hincrby(keys.gate(sale.number, 0), "full", 3)
    await outflow.step(db)
    assert (await state_of(sale, jobs_redis)).rate_now == pytest.approx(70)


async def test_what_is_sold_out_is_said_and_taken_back(db: Connection, jobs_redis: Redis, outflow: Outflow) -> None:
    sale = await make_sale(db)
    await db.execute("update stock set stock = 0, reserved = 1000 where product_id = 'lamp'")
    await outflow.step(db)
    state = await state_of(sale, jobs_redis)
    assert (state.sold_out, state.sold_out_products) == (False, ("lamp",))
    await db.execute("update sale_products set taken = 500 where product_id = 'tent'")
    await outflow.step(db)
    state = await state_of(sale, jobs_redis)
    assert (state.sold_out, state.sold_out_products) == (True, ("lamp", "tent"))
    await db.execute("update stock set stock = 1, reserved = 999 where product_id = 'lamp'")
    await outflow.step(db)
    state = await state_of(sale, jobs_redis)
    assert (state.sold_out, state.sold_out_products) == (False, ("tent",))


async def test_without_telemetry_the_rate_stays(
    db: Connection, orders_redis: Redis, jobs_redis: Redis, outflow: Outflow
) -> None:
    sale = await make_sale(db)
    await outflow.step(db)
    blind = Outflow(Redis(host="127.0.0.1", port=1), jobs_redis, timeout_s=1.0, payment_timeout_s=2.0)
    with pytest.raises((StoreUnavailableError, RedisError, OSError)):
        await blind.step(db)
    assert (await state_of(sale, jobs_redis)).rate_now == RATE


async def test_a_safety_net_goes_on_and_off(
    db: Connection, orders_redis: Redis, jobs_redis: Redis, outflow: Outflow
) -> None:
    sale = await make_sale(db, mode="safety_net")
    await outflow.step(db)
    assert not (await state_of(sale, jobs_redis)).needs_admission
    await fill(orders_redis, sale, 11)
    await outflow.step(db)
    assert (await state_of(sale, jobs_redis)).needs_admission
    await orders_redis.delete(keys.gate(sale.number, 0), keys.stream(sale.number, 0))
    for step in range(CALM_STEPS):
        assert (await state_of(sale, jobs_redis)).needs_admission, step
        await outflow.step(db)
    assert not (await state_of(sale, jobs_redis)).needs_admission
