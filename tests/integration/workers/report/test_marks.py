"""What the scheduler writes down for reports: plans that are in force, once; processes that were started, once each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest

from db import sales
from db.connections.pool import Connection
from doorbuster import keys
from doorbuster.values.timeline import PlanEntry
from tests.fixtures.shop import Shop
from tests.fixtures.waiting import eventually
from workers.report.marks import ReportMarks
from workers.runtime import job_queue
from workers.runtime.presence import Presence
from workers.runtime.rq_worker import _make
from workers.scheduler import Scheduler

Make = Callable[[], ReportMarks]


@pytest.fixture
async def make(shop: Shop) -> AsyncIterator[Make]:
    """Make what each scheduler has."""
    url = shop.settings.jobs_redis_url.get_secret_value()
    jobs = job_queue.connect(url)
    made: list[ReportMarks] = []

    def one() -> ReportMarks:
        made.append(ReportMarks(jobs, url))
        return made[-1]

    yield one
    for each in made:
        await each.close()
    jobs.close()


async def planned(shop: Shop, *in_s: float, made_ago_s: float = 0) -> int:
    """Make a sale whose room changes so many seconds from now; `made_ago_s`: as if it had been made so long ago."""
    await shop.stock(lamp=5)
    now = datetime.now(UTC)
    entries = [PlanEntry(at=now + timedelta(seconds=one), room={"message": f"{one}"}) for one in in_s]
    number = await shop.open_sale("lamp", timeline=entries)
    earlier = "update sales set created_at = created_at - make_interval(secs => $2) where sale_number = $1"
    await shop.db.execute(earlier, number, made_ago_s)
    return number


async def look(db: Connection, *all_marks: ReportMarks) -> None:
    for marks in all_marks:
        await marks.look(db, await sales.live_sales(db))


async def marked(db: Connection) -> int:
    found: int = await db.fetchval("select count(*) from timeline_marks")
    return found


async def test_an_entry_is_marked_once_it_is_in_force_by_whoever_looks_first(
    shop: Shop, db: Connection, make: Make
) -> None:
    await planned(shop, 0.2, 3_600, made_ago_s=60)
    first, second = make(), make()

    async def seen() -> bool:
        await look(db, first, second)
        return await marked(db) == 1

    await eventually(seen, what="the first entry to be marked")
    at, seen_at = await db.fetchrow("select at, seen_at from timeline_marks")
    assert at < seen_at
    await look(db, first, make())
    assert await db.fetchval("select seen_at from timeline_marks") == seen_at, "another look changes nothing"


async def test_what_was_past_when_the_sale_was_made_was_never_late(shop: Shop, db: Connection, make: Make) -> None:
    await planned(shop, -60)
    await look(db, make())
    assert await marked(db) == 0


async def test_a_process_is_noted_once_and_again_when_it_is_started_anew(
    shop: Shop, db: Connection, make: Make
) -> None:
    await planned(shop, 3_600)
    with job_queue.connect(shop.settings.jobs_redis_url.get_secret_value()) as jobs:
        scheduler, worker = Presence(jobs), _make(jobs)
        scheduler.renew()
        worker.register_birth()
        for _ in range(2):
            await look(db, make())
            jobs.delete(keys.starting("starts"))
        noted = "select array_agg(role order by role) from process_starts"
        assert await db.fetchval(noted) == ["scheduler", "worker"]
        # The same name, ten minutes ago: as of a container whose first process is started anew.
        await db.execute("update process_starts set began_at = began_at - interval '10 min' where role = 'scheduler'")
        await look(db, make())
        assert await db.fetchval(noted) == ["scheduler", "scheduler", "worker"]
        worker.register_death()
        scheduler.end()


async def test_starts_of_long_ago_are_forgotten(shop: Shop, db: Connection, make: Make) -> None:
    await planned(shop, 3_600)
    await db.execute("insert into process_starts values ('worker', 'old', now() - interval '91 days')")
    with job_queue.connect(shop.settings.jobs_redis_url.get_secret_value()) as jobs:
        scheduler = Presence(jobs)
        scheduler.renew()
        await look(db, make())
        scheduler.end()
    assert await db.fetchval("select array_agg(role) from process_starts") == ["scheduler"]


async def test_the_scheduler_does_it(shop: Shop, db: Connection) -> None:
    await planned(shop, 0.05, made_ago_s=60)
    scheduler = Scheduler(shop.settings)
    try:

        async def seen() -> bool:
            scheduler._last.clear()
            await scheduler.tick()
            return await marked(db) == 1 and await db.fetchval("select count(*) > 0 from process_starts")

        await eventually(seen, what="the plan and the scheduler itself to be noted")
    finally:
        await scheduler.close()
