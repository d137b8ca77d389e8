"""Real worker and scheduler processes: from the stream to confirmed, through kills, pauses and a dying jobs store."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import psutil
import pytest
from redis.asyncio import Redis

from db.work import shifts
from doorbuster.embedded.stores.valkey import Valkey
from doorbuster.ports import reserve
from doorbuster.settings import Settings
from readiness.processes import processes
from tests.fixtures import pausing
from tests.fixtures.stores import serving
from tests.fixtures.up import clean_environment
from tests.fixtures.waiting import eventually, wait_until
from workers.runtime import job_queue

if TYPE_CHECKING:
    from pathlib import Path

    from db.connections.pool import Connection
    from tests.fixtures.shop import Shop

pytestmark = pytest.mark.versions


def _environment(settings: Settings) -> dict[str, str]:
    named = (
        "database_url",
        "orders_redis_url",
        "room_redis_url",
        "jobs_redis_url",
        "cache_redis_url",
        "order_id_key",
        "ops_key",
    )
    urls = {name.upper(): getattr(settings, name).get_secret_value() for name in named}
    # With a lease as shops have it: of a shorter one a busy machine takes half for a batch, which is lost then.
    return clean_environment(**urls, SHIFT_S="5")


@contextmanager
def process(module: str, settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """Run a module as a process; whatever of it still lives at the end is killed."""
    with subprocess.Popen(
        [sys.executable, "-m", module], env=_environment(settings), stderr=subprocess.DEVNULL
    ) as running:
        try:
            yield running
        finally:
            if running.poll() is None:
                pausing.kill(running.pid)


async def _begun(settings: Settings, *roles: str) -> None:
    """Wait until such processes are at work: what they do from then on has bounds of its own."""
    async with Redis.from_url(settings.jobs_redis_url.get_secret_value()) as jobs:

        async def are_known() -> bool:
            return set(roles) <= {one.role for one in await processes(jobs)}

        await eventually(are_known, within_s=60, what=f"{roles} to begin")


def _is_gone(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _horse(worker: subprocess.Popen[bytes]) -> psutil.Process:
    return wait_until(lambda: psutil.Process(worker.pid).children(), what="a work-horse")[0]


def _enqueue(shop: Shop, shift: str) -> None:
    with job_queue.connect(shop.settings.jobs_redis_url.get_secret_value()) as connection:
        queue = job_queue.open_queue(connection)
        if shift not in job_queue.waiting(queue):
            job_queue.enqueue(queue, shift, shop.settings)


async def _drained(shop: Shop) -> int | None:
    """Say how many orders are drained; have a shift at it, as a scheduler does, should one have had to give up."""
    name = f"drain:{shop.sale_number}:0"
    if name not in await shifts.live(shop.db):
        _enqueue(shop, name)
    drained: int | None = await shop.db.fetchval("select drained from stream_cursors")
    return drained


@pytest.fixture
async def busy_shop(shop: Shop) -> Shop:
    """A sale with a backlog that takes a while."""
    await shop.stock(lamp=100_000)
    await shop.open_sale("lamp")
    for first in range(0, 20_000, 5_000):
        await shop.buy(*(f"c{n}" for n in range(first, first + 5_000)), lamp=1)
    return shop


async def _all_are(shop: Shop, status: str, orders: int) -> bool:
    found = await shop.db.fetchval("select count(*) from orders where status = $1::text::order_status", status)
    return bool(found == orders)


async def test_from_the_stream_to_confirmed(busy_shop: Shop) -> None:
    with process("workers", busy_shop.settings), process("workers.scheduler", busy_shop.settings):
        await _begun(busy_shop.settings, "worker", "scheduler")
        await eventually(lambda: _all_are(busy_shop, "confirmed", 20_000), within_s=60)


async def test_a_warm_shutdown_ends_the_shift_within_a_batch(busy_shop: Shop, db: Connection) -> None:
    name = f"drain:{busy_shop.sale_number}:0"
    with process("workers", busy_shop.settings) as worker:
        await _begun(busy_shop.settings, "worker")
        await eventually(lambda: _drained(busy_shop), what="a first batch")
        horse = _horse(worker)
        worker.send_signal(signal.SIGTERM)
        assert wait_until(lambda: worker.poll() is not None, within_s=5)
        assert worker.returncode == 0
        assert not horse.is_running()
    assert name not in await shifts.live(db)
    drained = await db.fetchval("select drained from stream_cursors")
    assert drained == await db.fetchval("select count(*) from orders")


async def test_an_idle_worker_stops_at_once(shop: Shop) -> None:
    with process("workers", shop.settings) as worker:
        await _begun(shop.settings, "worker")
        worker.send_signal(signal.SIGINT)
        assert wait_until(lambda: worker.poll() is not None, within_s=3)
        assert worker.returncode == 0
    assert _workers(shop) == 0


def _workers(shop: Shop) -> int:
    with job_queue.connect(shop.settings.jobs_redis_url.get_secret_value()) as connection:
        return int(connection.scard("rq:workers"))


async def test_a_killed_workers_shift_ends_and_another_goes_on(busy_shop: Shop, db: Connection) -> None:
    with process("workers", busy_shop.settings) as worker:
        await _begun(busy_shop.settings, "worker")
        await eventually(lambda: _drained(busy_shop), what="a first batch")
        horse = _horse(worker)
        worker.kill()
        worker.wait()
        wait_until(lambda: _is_gone(horse), within_s=5)
    with process("workers", busy_shop.settings), process("workers.scheduler", busy_shop.settings):
        await _begun(busy_shop.settings, "worker", "scheduler")
        await eventually(lambda: _all_are(busy_shop, "confirmed", 20_000), within_s=60)


async def test_a_killed_shift_is_taken_over(busy_shop: Shop, db: Connection) -> None:
    with process("workers", busy_shop.settings) as worker, process("workers.scheduler", busy_shop.settings):
        await _begun(busy_shop.settings, "worker", "scheduler")
        await eventually(lambda: db.fetchval("select drained from stream_cursors"))
        _horse(worker).kill()
        await eventually(lambda: _all_are(busy_shop, "confirmed", 20_000), within_s=60)


async def test_a_paused_shift_loses_its_lease_and_writes_nothing_on_waking(busy_shop: Shop, db: Connection) -> None:
    with process("workers", busy_shop.settings) as sleeper:
        await _begun(busy_shop.settings, "worker")
        await eventually(lambda: _drained(busy_shop), what="a first batch")
        horse = _horse(sleeper)
        horse.suspend()
        try:
            with process("workers", busy_shop.settings), process("workers.scheduler", busy_shop.settings):
                await _begun(busy_shop.settings, "scheduler")
                await eventually(lambda: _all_are(busy_shop, "confirmed", 20_000), within_s=60)
        finally:
            horse.resume()
        wait_until(lambda: _is_gone(horse), within_s=10)
    assert await db.fetchval("select drained from stream_cursors") == 20_000


async def test_worker_and_scheduler_outlive_the_jobs_store(
    shop: Shop, stores_folder: Path, settings: Settings, db: Connection
) -> None:
    """Killed with -9 and started again, empty: both find back, and the work goes on."""
    await shop.stock(lamp=1000)
    await shop.open_sale("lamp")
    log = stores_folder / "logs" / "killed.log"
    jobs = Valkey("jobs", stores_folder / "killed", log, port=reserve(), password="secret")
    with ExitStack() as stack:
        first = stack.enter_context(serving(jobs))
        own = settings.model_copy(update={"jobs_redis_url": type(settings.jobs_redis_url)(jobs.url)})
        worker = stack.enter_context(process("workers", own))
        scheduler = stack.enter_context(process("workers.scheduler", own))
        await _begun(own, "worker", "scheduler")
        before = await shop.buy("ada", lamp=1)
        await eventually(lambda: _are_confirmed(shop, before), within_s=30)
        first.kill()
        first.wait()
        after = await shop.buy("bob", lamp=1)
        stack.enter_context(serving(jobs))
        await eventually(lambda: _are_confirmed(shop, after), within_s=30)
        assert worker.poll() is None
        assert scheduler.poll() is None
        for one in (scheduler, worker):
            one.send_signal(signal.SIGTERM)
        for one in (scheduler, worker):
            wait_until(lambda ended=one: ended.poll() is not None, within_s=5)
        assert (scheduler.returncode, worker.returncode) == (0, 0)


async def _are_confirmed(shop: Shop, ids: list) -> bool:  # type: ignore[type-arg]
    return set(await shop.statuses(ids)) == {"confirmed"}


@pytest.mark.parametrize("module", ["workers", "workers.scheduler"])
def test_wrong_settings_end_with_2_and_name_them_all(module: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", module], env=clean_environment(), capture_output=True, text=True, timeout=20, check=False
    )
    assert ended.returncode == 2
    assert "DATABASE_URL: is missing" in ended.stderr
    assert "JOBS_REDIS_URL: is missing" in ended.stderr
    assert os.linesep in ended.stderr
