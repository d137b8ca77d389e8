"""The report of a sale is written once it is over and settled, once, whoever looks; a failing one holds up nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from db import sales
from db.connections.pool import Connection
from db.report import stored
from doorbuster.errors import StoreUnavailableError
from tests.fixtures.shop import Shop
from workers.report import writer
from workers.report.writer import ReportWriter
from workers.runtime import job_queue
from workers.runtime.isolation import FailureIsolation

Make = Callable[[], ReportWriter]


@pytest.fixture
async def make(shop: Shop, jobs_redis: Redis, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Make]:
    """Make writers, as each scheduler has one."""
    monkeypatch.setattr(writer, "TOLD_S", 0.0)
    jobs = job_queue.connect(shop.settings.jobs_redis_url.get_secret_value())
    made: list[ReportWriter] = []

    def one() -> ReportWriter:
        dsn = shop.settings.database_url.get_secret_value()
        made.append(ReportWriter(dsn, shop.orders, jobs_redis, jobs=jobs, isolation=FailureIsolation(shop.orders)))
        return made[-1]

    yield one
    for each in made:
        await each.close()
    jobs.close()


async def look(db: Connection, *writers: ReportWriter) -> None:
    for one in writers:
        await one.step(db)
    for one in writers:
        await one.finish()


def forget_turns(shop: Shop) -> None:
    """Let a report be written again at once: in a minute its turn is free anyway."""
    with job_queue.connect(shop.settings.jobs_redis_url.get_secret_value()) as jobs:
        jobs.flushall()


async def over(shop: Shop, *, settled: bool = True) -> int:
    """Make a sale with an order, and close it."""
    await shop.stock(lamp=5)
    number = await shop.open_sale("lamp")
    await shop.buy("ann", lamp=2)
    await shop.drain()
    if settled:
        await shop.settle()
    await shop.db.execute("update sales set phase = 'closed', closed_at = now() where sale_number = $1", number)
    return number


async def test_it_is_written_once_the_sale_is_over(shop: Shop, db: Connection, make: Make) -> None:
    await shop.stock(rug=1)
    await shop.open_sale("rug")
    await look(db, make())
    assert await db.fetchval("select count(*) from sale_reports") == 0
    number = await over(shop)
    await look(db, make())
    kept = await stored.get(db, number)
    assert kept is not None
    assert kept.settled
    assert (kept.report.totals.accepted, kept.report.totals.confirmed) == (1, 1)
    assert kept.report.sale.over_at == kept.over_at
    assert {one.verdict for one in kept.report.promises} == {"holds", "not_checked"}
    await look(db, make())
    again = await stored.get(db, number)
    assert again is not None
    assert again.written_at == kept.written_at


async def test_not_before_it_is_settled(shop: Shop, db: Connection, make: Make) -> None:
    number = await over(shop, settled=False)
    await look(db, make())
    assert await stored.get(db, number) is None
    await shop.settle()
    await look(db, make())
    kept = await stored.get(db, number)
    assert kept is not None
    assert kept.settled


async def test_what_does_not_settle_is_told_all_the_same_and_once_more_when_it_does(
    shop: Shop, db: Connection, make: Make
) -> None:
    number = await over(shop, settled=False)
    await db.execute("update sales set closed_at = now() - interval '2 h', starts_at = now() - interval '3 h'")
    await look(db, make())
    first = await stored.get(db, number)
    assert first is not None
    assert not first.settled
    assert first.report.unsettled == ["1 orders that wait for their payment"]
    await look(db, make())
    same = await stored.get(db, number)
    assert same is not None
    assert same.written_at == first.written_at, "not again and again"
    await shop.settle()
    forget_turns(shop)
    await look(db, make())
    last = await stored.get(db, number)
    assert last is not None
    assert last.settled


async def test_two_schedulers_write_one_report(shop: Shop, db: Connection, make: Make) -> None:
    number = await over(shop)
    writers = [make(), make()]
    for one in writers:
        await one.step(db)
    assert [one._writing is not None for one in writers] == [True, False], "one took the turn"
    await asyncio.gather(*(one.finish() for one in writers))
    assert await stored.get(db, number) is not None


async def test_a_sale_that_goes_on_is_told_of_again(shop: Shop, db: Connection, make: Make) -> None:
    await shop.stock(lamp=5)
    number = await shop.open_sale("lamp", ends_at=datetime.now(UTC) + timedelta(hours=1))
    await db.execute("update sales set starts_at = now() - interval '2 h', ends_at = now() - interval '1 s'")
    await look(db, make())
    first = await stored.get(db, number)
    assert first is not None
    await db.execute("update sales set ends_at = now() + interval '1 h'")
    assert await stored.over_at(db, number) is None
    assert await stored.due(db) == []
    await db.execute("update sales set ends_at = now()")
    assert [one.sale_number for one in await stored.due(db)] == [number]


async def test_what_was_over_long_ago_gets_none(shop: Shop, db: Connection, make: Make) -> None:
    await over(shop)
    await db.execute("update sales set starts_at = now() - interval '30 d', closed_at = now() - interval '8 d'")
    assert await stored.due(db) == []


async def test_a_failing_report_is_told_of_and_holds_up_no_other(
    shop: Shop, db: Connection, make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bad = await over(shop)
    sale = await sales.get_sale_by_number(db, bad)
    assert sale is not None
    real = writer.gather

    async def broken(connection: Connection, stores: object, wanted: writer.Wanted) -> object:
        if wanted.sale.number == bad:
            raise ValueError("nothing that was foreseen")
        return await real(connection, stores, wanted)  # type: ignore[arg-type]

    monkeypatch.setattr(writer, "gather", broken)
    await shop.stock(rug=1)
    good = await shop.open_sale("rug")
    await db.execute("update sales set phase = 'closed', closed_at = now() where sale_number = $1", good)
    one = make()
    await look(db, one)
    assert "a part of the scheduler failed" in caplog.text
    one._not_before[bad] = float("inf")
    await look(db, one)
    assert await stored.get(db, bad) is None
    assert await stored.get(db, good) is not None


async def test_a_room_that_does_not_answer_is_waited_for(
    shop: Shop, db: Connection, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.stock(lamp=5)
    number = await shop.open_sale("lamp", room={"mode": "always", "rate_per_s": 10})
    await db.execute("update sales set phase = 'closed', closed_at = now() where sale_number = $1", number)
    one = make()

    async def away(_number: int) -> None:
        raise StoreUnavailableError("the room's store did not answer")

    monkeypatch.setattr(one._memory, "visits", away)
    await one.step(db)
    with pytest.raises(StoreUnavailableError):
        await one.finish()
    assert await stored.get(db, number) is None
    await db.execute("update sales set starts_at = now() - interval '3 h', closed_at = now() - interval '2 h'")
    late = make()
    monkeypatch.setattr(late._memory, "visits", away)
    forget_turns(shop)
    await look(db, late)
    kept = await stored.get(db, number)
    assert kept is not None
    assert kept.report.room.admitted is None
