"""Ahead of a sale each step is taken once, whoever and however many look, whoever dies, and whatever is changed."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from db import sales
from db.connections.pool import Connection
from db.prewarm import reports, steps
from db.sales import Sale
from tests.fixtures.receivers import Hooks
from tests.fixtures.shop import Shop
from tests.fixtures.waiting import eventually
from workers.prewarm.clock import SaleClock
from workers.scheduler import Scheduler


async def make_sale(shop: Shop, starts_in_s: float, *, sale_id: str = "spring", **more: Any) -> Sale:
    starts_at = datetime.now(UTC) + timedelta(seconds=starts_in_s)
    spec = sales.SaleSpec(sale_id=sale_id, products=[sales.SaleProduct(product_id="lamp")], starts_at=starts_at, **more)
    return await sales.create_sale(shop.db, spec)


async def look(shop: Shop, *clocks: SaleClock) -> None:
    """Have each clock look once, at the same time, and wait for what that begins."""
    for clock in clocks:
        await clock.look(shop.db, await sales.live_sales(shop.db))
    await asyncio.gather(*(clock.beside.finish() for clock in clocks))


async def taken(db: Connection) -> dict[str, Any]:
    rows = await db.fetch("select step, done_at is not null as done, result from prewarm_steps order by step")
    return {row["step"]: row["result"] if row["done"] else None for row in rows}


async def occasions(db: Connection, sale: Sale) -> list[str]:
    return [report.occasion for report in await reports.newest(db, sale.number)]


@pytest.fixture
async def stocked(shop: Shop, staffed: None) -> Shop:
    await shop.stock(lamp=3)
    return shop


async def test_several_clocks_take_each_step_once(stocked: Shop) -> None:
    sale = await make_sale(stocked, 1_000)
    clocks = [SaleClock(stocked.settings) for _ in range(3)]
    for _ in range(2):
        await look(stocked, *clocks)
    assert await occasions(stocked.db, sale) == ["check:1800"]
    await stocked.db.execute("update sales set starts_at = starts_at")
    assert await taken(stocked.db) == {"check:1800": {"go": False}}, "no intake lives here"


async def test_what_is_found_is_told_with_its_reasons(hooks: Hooks, staffed: None, caplog: Any) -> None:
    receiver = await hooks.receiver("sale.prewarm")
    await hooks.shop.stock(lamp=0)
    with caplog.at_level(logging.WARNING, "doorbuster.workers.prewarm"):
        sale = await make_sale(hooks.shop, 100)
        await look(hooks.shop, SaleClock(hooks.shop.settings))
    await hooks.tell()
    (event,) = receiver.got
    data = event.body["data"]
    assert (event.id, data["sale_id"], data["go"]) == ("sale:spring:prewarm", "spring", False)
    assert data["failing"]["stock"] == "no units in stock: lamp"
    assert data["failing"]["processes"] == "too few processes: 0 of 1 intake"
    (report,) = await reports.newest(hooks.shop.db, sale.number)
    assert report.failing == data["failing"]
    assert report.checks["buffers"]["warmed_mb"] > 0, report.checks["buffers"]
    assert report.checks["cache"]["filled"] == 1
    (line,) = [record for record in caplog.records if record.name == "doorbuster.workers.prewarm"]
    assert line.failing == data["failing"]
    (ahead,) = await reports.verdicts_ahead(hooks.shop.db)
    assert (ahead.sale_id, ahead.go) == ("spring", False)
    assert {"check": "stock", "reason": "no units in stock: lamp"} in ahead.no_go
    await hooks.shop.db.execute("update sales set starts_at = now()")
    assert await reports.verdicts_ahead(hooks.shop.db) == [], "a sale that has begun wakes nobody any more"
    begun = await reports.verdict(hooks.shop.db, sale.number)
    assert begun is not None
    assert begun.no_go == ahead.no_go


async def test_who_comes_late_makes_the_last_check_alone(stocked: Shop) -> None:
    sale = await make_sale(stocked, 60)
    await look(stocked, SaleClock(stocked.settings))
    assert await occasions(stocked.db, sale) == ["check:120"]
    over = {"passed_over": True}
    assert await taken(stocked.db) == {"check:120": {"go": False}, "check:1800": over, "check:600": over}


async def test_a_moved_start_has_its_own_steps_and_one_that_has_begun_none(stocked: Shop) -> None:
    sale = await make_sale(stocked, 1_000)
    clock = SaleClock(stocked.settings)
    await look(stocked, clock)
    await stocked.db.execute("update sales set starts_at = now() + interval '1 hour'")
    await look(stocked, clock)
    assert await occasions(stocked.db, sale) == ["check:1800"], "it is far again"
    await stocked.db.execute("update sales set starts_at = now() + interval '500 s'")
    await look(stocked, clock)
    assert await occasions(stocked.db, sale) == ["check:600", "check:1800"]
    await stocked.db.execute("update sales set starts_at = now() - interval '1 s'")
    await look(stocked, clock)
    await make_sale(stocked, 60, sale_id="never")
    await sales.set_phase(stocked.db, "never", "closed")
    await look(stocked, clock)
    assert len(await stocked.db.fetch("select from prewarm_reports")) == 2


async def test_who_dies_in_the_middle_leaves_the_step_to_the_next(
    stocked: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    sale = await make_sale(stocked, 1_000)
    dying = SaleClock(stocked.settings, taken_s=0.3)
    monkeypatch.setattr(dying, "_report", _nothing_more)
    await dying.look(stocked.db, await sales.live_sales(stocked.db))
    await eventually(lambda: stocked.db.fetchval("select count(*) from prewarm_steps"), what="a step to be taken")
    await dying.beside.close()
    assert await taken(stocked.db) == {"check:1800": None}
    other = SaleClock(stocked.settings)

    async def reported() -> list[str]:
        await look(stocked, other)
        return await occasions(stocked.db, sale)

    await eventually(reported, what="the step to be taken by another")
    assert await stocked.db.fetchval("select attempts from prewarm_steps") == 2
    await look(stocked, dying)
    assert await occasions(stocked.db, sale) == ["check:1800"]


async def _nothing_more(*_: object) -> None:
    """Stop before a report is written."""
    await asyncio.Event().wait()


async def test_a_check_waits_while_processes_are_started(stocked: Shop) -> None:
    scaled = stocked.settings.model_copy(update={"scaling": "local"})
    sale = await make_sale(stocked, 1_700, prewarm={"scale": {"intake": 2}})
    clock = SaleClock(scaled)
    await look(stocked, clock)
    assert await taken(stocked.db) == {"check:1800": None}, "it is too early to say that none came"
    key = (sale.number, sale.starts_at)
    await steps.pass_over(stocked.db, *key, ["check:1800"])
    assert "check:1800" in await steps.done(stocked.db, *key), "a later check takes its place"
    await stocked.db.execute("update sales set starts_at = now() + interval '1400 s'")
    await look(stocked, clock)
    (report,) = await reports.newest(stocked.db, sale.number)
    assert report.failing["processes"] == "too few processes: 0 of 2 intake"


async def test_who_was_too_slow_reports_nothing(stocked: Shop, db: Connection) -> None:
    """The row is the fence: a step that another has done is not done again, however late the first one wakes."""
    sale = await make_sale(stocked, 1_000)
    key = (sale.number, sale.starts_at)
    assert await steps.take(db, *key, "check:1800", for_s=0.0)
    assert await steps.take(db, *key, "check:1800", for_s=60.0)
    assert await steps.take(db, *key, "check:1800", for_s=60.0) is False
    assert await steps.finish(db, *key, "check:1800", {})
    assert await steps.finish(db, *key, "check:1800", {}) is False
    assert await steps.take(db, *key, "check:1800", for_s=60.0) is False


async def test_the_scheduler_does_it_by_itself(stocked: Shop) -> None:
    sale = await make_sale(stocked, 1_000)
    scheduler = Scheduler(stocked.settings)
    try:
        await scheduler.tick()
        await scheduler._ahead.clock.beside.finish()
    finally:
        await scheduler.close()
    assert await occasions(stocked.db, sale) == ["check:1800"]
