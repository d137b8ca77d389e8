"""The scheduler starts what has work and nobody at it, keeps gates and shelves true, and outlives its stores."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from redis.asyncio import Redis
from rq.job import Job

from db import sales
from db.orders import transitions
from db.orders.states import Status
from db.work import shifts
from doorbuster import keys
from tests.fixtures.waiting import eventually
from workers.runtime import job_queue
from workers.scheduler import Scheduler

if TYPE_CHECKING:
    from db.connections.pool import Connection
    from doorbuster.settings import Settings
    from tests.fixtures.shop import Shop

pytestmark = pytest.mark.versions


@asynccontextmanager
async def scheduling(settings: Settings, schedulers: int = 1) -> AsyncIterator[None]:
    """Run schedulers beside the block."""
    tasks = [asyncio.create_task(Scheduler(settings).run()) for _ in range(schedulers)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(end, asyncio.CancelledError) for end in ends), ends


async def _tick(settings: Settings) -> None:
    scheduler = Scheduler(settings)
    try:
        await scheduler.tick()
    finally:
        await scheduler.close()


async def _enqueued(settings: Settings) -> list[str]:
    return await asyncio.to_thread(_queued, settings)


def _queued(settings: Settings) -> list[str]:
    with job_queue.connect(settings.jobs_redis_url.get_secret_value()) as connection:
        return sorted(job.description or "" for job in job_queue.open_queue(connection).jobs)


@pytest.fixture
async def lamp_sale(shop: Shop) -> Shop:
    await shop.stock(lamp=50)
    await shop.open_sale("lamp", partitions=2)
    await shop.db.execute("truncate product_changes")  # the lamp itself is no news here
    return shop


async def test_a_change_of_the_catalogue_gets_its_shift(lamp_sale: Shop) -> None:
    await lamp_sale.stock(chair=1)
    await _tick(lamp_sale.settings)
    assert await _enqueued(lamp_sale.settings) == ["catalogue"]


async def test_a_backlog_without_a_shift_gets_one(lamp_sale: Shop) -> None:
    await lamp_sale.accept(lamp_sale.entry("ada", lamp=1), partition=1)
    await _tick(lamp_sale.settings)
    assert await _enqueued(lamp_sale.settings) == [f"drain:{lamp_sale.sale_number}:1"]


async def test_nothing_is_started_without_work_or_beside_a_shift(lamp_sale: Shop, db: Connection) -> None:
    await _tick(lamp_sale.settings)
    await lamp_sale.accept(lamp_sale.entry("ada", lamp=1))
    await shifts.acquire(db, f"drain:{lamp_sale.sale_number}:0", holder="somebody", lease_s=60)
    await _tick(lamp_sale.settings)
    assert await _enqueued(lamp_sale.settings) == []


async def test_a_gate_that_has_not_heard_of_a_commit_gets_a_shift_that_tells(lamp_sale: Shop) -> None:
    gate = keys.gate(lamp_sale.sale_number, 0)
    await lamp_sale.buy("ada", "bob", lamp=1)
    await lamp_sale.drain()
    await lamp_sale.orders.hset(gate, "drained", "1")  # the drain died, or was paused, after its last commit
    await _tick(lamp_sale.settings)
    assert f"drain:{lamp_sale.sale_number}:0" in await _enqueued(lamp_sale.settings)
    await lamp_sale.drain()
    assert await lamp_sale.orders.hget(gate, "drained") == b"2"


async def test_due_payments_events_and_ended_holds_get_their_shifts(lamp_sale: Shop, db: Connection) -> None:
    await lamp_sale.buy("ada", "bob", lamp=1)
    await lamp_sale.drain()
    await db.execute(
        "update reservations set expires_at = now() - interval '1 h', attempts = 1"
        " where order_id = (select min(order_id::text)::uuid from orders)"
    )
    await _tick(lamp_sale.settings)
    assert await _enqueued(lamp_sale.settings) == ["relay", f"settle:{lamp_sale.sale_number}:0", "sweep"]
    await lamp_sale.sweep()
    # In seconds the provider is asked what became of the swept one's payment: a shift of its own, and no matter here.
    assert await db.execute("update payment_operations set due_at = due_at + interval '1 h'") == "UPDATE 1"
    await lamp_sale.settle()
    await lamp_sale.relay()
    await _flush_queue(lamp_sale.settings)
    await _tick(lamp_sale.settings)
    assert await _enqueued(lamp_sale.settings) == []


async def test_who_stands_by_gets_a_shift_when_units_slipped_through_or_the_sale_is_over(
    lamp_sale: Shop, db: Connection
) -> None:
    left = await db.fetchval("select stock from stock where product_id = 'lamp'")
    (waiting, _) = await lamp_sale.stand_by("ada", "bob", lamp=left + 1)
    await lamp_sale.drain()
    await lamp_sale.relay()
    await _flush_queue(lamp_sale.settings)
    await _tick(lamp_sale.settings)
    assert await _enqueued(lamp_sale.settings) == []
    await db.execute("update stock set stock = stock + 1, received = received + 1")
    await db.execute("insert into stock_movements (product_id, quantity, reason) values ('lamp', 1, 'x')")
    await _tick(lamp_sale.settings)
    assert await _enqueued(lamp_sale.settings) == ["standby"]
    await lamp_sale.standby()
    assert await lamp_sale.statuses([waiting]) == ["pending"]
    await db.execute("update sales set phase = 'closed', closed_at = now()")
    await _flush_queue(lamp_sale.settings)
    await _tick(lamp_sale.settings)
    assert "standby" in await _enqueued(lamp_sale.settings)
    await lamp_sale.standby()


async def _flush_queue(settings: Settings) -> None:
    async with Redis.from_url(settings.jobs_redis_url.get_secret_value()) as jobs:
        await jobs.flushall()


async def test_two_schedulers_enqueue_once(lamp_sale: Shop) -> None:
    await lamp_sale.buy("ada", lamp=1)
    seen: set[int] = set()
    async with scheduling(lamp_sale.settings, schedulers=3):

        async def ticked_past_the_starting_key() -> bool:
            seen.add(len(await _enqueued(lamp_sale.settings)))
            async with Redis.from_url(lamp_sale.settings.jobs_redis_url.get_secret_value()) as jobs:
                return 1 in seen and not await jobs.exists(keys.starting(f"drain:{lamp_sale.sale_number}:0"))

        await eventually(ticked_past_the_starting_key)
        await _tick(lamp_sale.settings)  # the key is gone, but the job still waits in the queue
        seen.add(len(await _enqueued(lamp_sale.settings)))
    assert max(seen) == 1


async def test_jobs_are_bounded(lamp_sale: Shop) -> None:
    await lamp_sale.buy("ada", lamp=1)
    await _tick(lamp_sale.settings)

    def only_job() -> Job:
        with job_queue.connect(lamp_sale.settings.jobs_redis_url.get_secret_value()) as connection:
            [job] = job_queue.open_queue(connection).jobs
            return job

    job = await asyncio.to_thread(only_job)
    assert job.func_name == "workers.jobs.drain"
    assert list(job.args) == [lamp_sale.sale_number, 0]
    assert job.timeout > lamp_sale.settings.shift_s
    assert job.result_ttl == 0
    assert 0 < job.failure_ttl <= 3600
    assert 0 < job.ttl <= 60


async def test_a_replaced_order_store_gets_its_gates_back(lamp_sale: Shop, db: Connection) -> None:
    gates = [keys.gate(lamp_sale.sale_number, partition) for partition in range(2)]
    async with scheduling(lamp_sale.settings):
        await eventually(lambda: lamp_sale.orders.hexists(gates[1], "phase"))
        await lamp_sale.orders.flushall()
        await sales.set_phase(db, "sale-1", "hold")

        async def published() -> bool:
            return [await lamp_sale.orders.hget(one, "phase") for one in gates] == [b"hold", b"hold"]

        await eventually(published)


async def test_a_window_that_has_begun_is_open_whatever_the_order_stores_clock_says(
    lamp_sale: Shop, db: Connection
) -> None:
    gate = keys.gate(lamp_sale.sale_number, 0)
    await _tick(lamp_sale.settings)
    assert await lamp_sale.orders.hget(gate, "opens_ms") == b"0"
    await db.execute("update sales set starts_at = clock_timestamp() + interval '1 hour', version = version + 1")
    await _tick(lamp_sale.settings)
    assert int(await lamp_sale.orders.hget(gate, "opens_ms") or 0) > 0


async def test_what_is_available_again_leaves_the_sold_out_set(lamp_sale: Shop, db: Connection) -> None:
    [first] = await lamp_sale.buy("ada", lamp=50)
    await lamp_sale.drain()
    key = keys.sold_out(lamp_sale.sale_number, 0)
    await _tick(lamp_sale.settings)
    assert await lamp_sale.orders.smembers(key) == {b"lamp"}
    await transitions.transition(db, first, Status.CANCELLED, reason="customer")
    await _tick(lamp_sale.settings)
    assert await lamp_sale.orders.smembers(key) == set()


async def test_a_backlog_is_found_long_after_its_sale_was_closed(lamp_sale: Shop, db: Connection) -> None:
    await lamp_sale.buy("ada", lamp=1)
    await sales.set_phase(db, "sale-1", "closed")
    await db.execute("update sales set closed_at = now() - interval '1 day'")
    await _tick(lamp_sale.settings)
    assert await _enqueued(lamp_sale.settings) == [f"drain:{lamp_sale.sale_number}:0"]


async def test_it_outlives_its_connections(lamp_sale: Shop, db: Connection) -> None:
    """Every connection is cut; the work that comes afterwards is still found."""
    async with scheduling(lamp_sale.settings):
        await eventually(lambda: lamp_sale.orders.exists(keys.gate(lamp_sale.sale_number, 0)))
        await db.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
            " where application_name = 'doorbuster-scheduler' and datname = current_database()"
        )
        async with Redis.from_url(lamp_sale.settings.jobs_redis_url.get_secret_value()) as jobs:
            await jobs.client_kill_filter(_type="normal", skipme=True)
        await lamp_sale.orders.client_kill_filter(_type="normal", skipme=True)
        await lamp_sale.buy("ada", lamp=1)

        async def found() -> bool:
            return f"drain:{lamp_sale.sale_number}:0" in await _enqueued(lamp_sale.settings)

        await eventually(found)


async def test_a_cancellation_that_a_driver_swallows_still_ends_it(settings: Settings) -> None:
    scheduler = Scheduler(settings)
    ticking = asyncio.Event()

    async def swallow() -> None:
        ticking.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    scheduler.tick = swallow  # type: ignore[method-assign]
    task = asyncio.create_task(scheduler.run())
    await ticking.wait()
    task.cancel()
    await asyncio.wait_for(asyncio.wait({task}), 5)
    assert task.cancelled()
