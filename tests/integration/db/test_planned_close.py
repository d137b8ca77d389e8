"""A sale that its plan closed is closed for everything that asks Postgres, though no row says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from db import sales
from db.audit.questions import always_rooms
from db.webhooks.world_events import told_sales
from doorbuster.errors import ConflictError
from doorbuster.values.timeline import PlanEntry
from tests.fixtures.shop import Shop


def ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


async def test_a_sale_that_its_plan_closed_is_closed_everywhere(shop: Shop) -> None:
    closed_at = ago(30)
    plan = [PlanEntry(at=ago(60), phase="hold", room={"rate_per_s": 3}), PlanEntry(at=closed_at, phase="closed")]
    await shop.stock(lamp=5)
    number = await shop.open_sale("lamp", starts_at=ago(600), timeline=plan, room={"mode": "always"})
    sale = await sales.get_sale_by_number(shop.db, number)
    assert sale is not None
    assert (sale.phase, sale.base_phase, sale.closed_at) == ("closed", "open", closed_at)
    assert (sale.room, sale.base_room) == ({"mode": "always", "rate_per_s": 3}, {"mode": "always"})
    assert await sales.live_sales_of(shop.db, "lamp") == []
    assert await sales.closed_sales_of(shop.db, "lamp") == [(number, 1)]
    assert await sales.live_rooms(shop.db) == []
    assert [one.phase for one in await sales.live_sales(shop.db)] == ["closed"]
    (told,) = await told_sales(shop.db, [number])
    assert (told.phase_now, told.happened) == ("closed", ["opened", "closed"])
    with pytest.raises(ConflictError):
        await sales.set_phase(shop.db, sale.sale_id, "open")
    await shop.db.execute("update products set currency = 'USD' where product_id = 'lamp'")
    # A change by hand leaves in the row what the plan had made of it.
    changed = await sales.update_sale(shop.db, sale.sale_id, {"room": {"mode": "off"}})
    assert (changed.base_phase, changed.base_room) == ("closed", {"mode": "off"})
    assert changed.closed_at is not None


async def test_a_sale_that_its_plan_closed_long_ago_is_no_work(shop: Shop) -> None:
    await shop.stock(lamp=5)
    plan = [PlanEntry(at=ago(7200), phase="closed")]
    await shop.open_sale("lamp", starts_at=ago(9000), timeline=plan)
    assert await sales.live_sales(shop.db) == []


async def test_a_sale_on_hold_from_its_start_has_not_opened(shop: Shop) -> None:
    await shop.stock(lamp=5)
    started = ago(600)
    plan = [PlanEntry(at=started, phase="hold"), PlanEntry(at=ago(-600), phase="open")]
    number = await shop.open_sale("lamp", starts_at=started, timeline=plan)
    (told,) = await told_sales(shop.db, [number])
    assert (told.phase_now, told.happened) == ("hold", [])
    await sales.set_phase(shop.db, "sale-1", "open")
    (told,) = await told_sales(shop.db, [number])
    assert (told.phase_now, told.happened) == ("open", ["opened"])


async def test_the_audit_does_not_ask_for_admissions_where_the_plan_switched_the_room(shop: Shop) -> None:
    await shop.stock(lamp=5)
    terms = {"starts_at": ago(600), "room": {"mode": "always"}}
    watched = await shop.open_sale("lamp", **terms, timeline=[PlanEntry(at=ago(-600), room={"mode": "off"})])
    await shop.open_sale("lamp", **terms, timeline=[PlanEntry(at=ago(300), room={"mode": "off"})])
    assert await always_rooms(shop.db) == [(watched, 0)]
