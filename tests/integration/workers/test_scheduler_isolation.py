"""What is broken of one sale, one room or one part of the scheduler stops no other, and is told and counted."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from db import sales
from doorbuster import keys
from tests.fixtures.draining import make_product
from tests.fixtures.intake import Intake
from waitingroom.room_store import Room
from waitingroom.sale_config import room_config
from workers.room_outflow import Outflow
from workers.scheduler import Scheduler

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from db.connections.pool import Connection
    from db.sales import Sale
    from doorbuster.settings import Settings


async def _sale(db: Connection, sale_id: str, **room: object) -> Sale:
    await make_product(db, "lamp", units=5)
    terms = {"mode": "always", "rate_per_s": 100.0} | room if room else {"mode": "off"}
    products = [sales.SaleProduct(product_id="lamp")]
    return await sales.create_sale(db, sales.SaleSpec(sale_id=sale_id, products=products, room=terms))


async def _failures(redis: Redis) -> dict[str, int]:
    return {part.decode(): int(times) for part, times in (await redis.hgetall(keys.SCHEDULER_FAILURES)).items()}


async def _tick(settings: Settings, times: int = 1) -> None:
    scheduler = Scheduler(settings)
    try:
        for _ in range(times):
            await scheduler.tick()
    finally:
        await scheduler.close()


@pytest.fixture(autouse=True)
def _always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at gates, shelves and rooms at each tick."""
    monkeypatch.setattr("workers.scheduler.GATES_S", 0.0)


async def test_a_sale_that_cannot_be_shown_at_the_gate_stops_no_other(
    settings: Settings, db: Connection, orders_redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = await _sale(db, "first"), await _sale(db, "second")
    await db.execute("alter table sales drop constraint sale_times")  # which keeps such a thing from being stored
    await db.execute("update sales set starts_at = '-infinity' where sale_number = $1", first.number)
    await _tick(settings, 2)
    assert await orders_redis.hget(keys.gate(second.number, 0), "phase") == b"open"
    assert await _failures(orders_redis) == {"gates": 2, "prewarm": 2}
    told = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [getattr(record, "sale_id", None) for record in told] == [
        "first",
        "first",
    ]  # once by each part, not each tick


async def test_a_sold_out_set_that_cannot_be_read_stops_no_other(
    settings: Settings, db: Connection, orders_redis: Redis
) -> None:
    first, second = await _sale(db, "first"), await _sale(db, "second")
    await orders_redis.sadd(keys.sold_out(first.number, 0), b"\xff")
    await orders_redis.sadd(keys.sold_out(second.number, 0), "lamp")
    await _tick(settings)
    assert await orders_redis.smembers(keys.sold_out(second.number, 0)) == set()
    assert await _failures(orders_redis) == {"shelves": 1}


@pytest.mark.parametrize("room", [{"grace_s": 0}, {"lobby_opens_at": "no time"}])
async def test_a_broken_room_stops_no_other(
    settings: Settings, db: Connection, orders_redis: Redis, jobs_redis: Redis, room: dict[str, object]
) -> None:
    first = await _sale(db, "first", **room)
    second = await _sale(db, "second", grace_s=60)
    await _tick(settings)
    assert (await Room(jobs_redis, lambda: room_config(second)).tick()).rate_now is not None
    assert await _failures(orders_redis) == {"rooms": 1}
    assert await orders_redis.hget(keys.gate(first.number, 0), "phase") == b"open"


async def test_a_room_whose_keys_are_of_another_kind_stops_no_other(
    db: Connection, orders_redis: Redis, jobs_redis: Redis
) -> None:
    first, second = await _sale(db, "first", grace_s=60), await _sale(db, "second", grace_s=60)
    await jobs_redis.set(keys.room(first.number), "something else")
    await Outflow(orders_redis, jobs_redis, timeout_s=2.0, payment_timeout_s=2.0).step(db)
    assert (await Room(jobs_redis, lambda: room_config(second)).tick()).rate_now is not None


async def test_a_defect_in_one_part_stops_no_other(
    settings: Settings, db: Connection, orders_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    sale = await _sale(db, "one")

    async def defect(_connection: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("db.work.due_work.any_expired", defect)
    await _tick(settings)
    assert await orders_redis.hget(keys.gate(sale.number, 0), "phase") == b"open"
    assert await _failures(orders_redis) == {"sweep": 1}


async def test_the_count_is_in_the_metrics(intake: Intake, orders_redis: Redis) -> None:
    await orders_redis.hset(keys.SCHEDULER_FAILURES, "gates", "3")
    assert 'doorbuster_scheduler_failures{part="gates"} 3.0' in (await intake.http.get("/metrics")).text
