"""The process's copy of a sale follows the sale's plan by itself: also while Postgres is away."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import cast

from redis.asyncio import Redis

from db.sale_rows import Sale
from doorbuster.orderstore.accept import AcceptScript
from doorbuster.values.timeline import PlanEntry
from intake.accepting.group_commit import BatchObserver
from intake.sales.cache import Sales
from tests.fixtures.waiting import eventually

READ_AT = datetime(2026, 3, 1, 10, tzinfo=UTC)


def planned_sale(*timeline: PlanEntry) -> Sale:
    return Sale(
        sale_id="one", number=1, name=None, products={}, products_read_at=READ_AT, starts_at=READ_AT,
        ends_at=None, partitions=1, hold_s=600,
        read_at=READ_AT, phase="open", base_phase="open", timeline=timeline, terms_at=None, prewarm_lead_s=1800,
        prewarm_given={}, room={"mode": "off"}, base_room={"mode": "off"}, room_secret=b"", room_epoch=1, version=1,
        created_at=READ_AT, closed_at=None, payment="capture", hold_extension_s=300, standby_max=0, identity_key=b"",
    )  # fmt: skip


def sales_that_load(*answers: Sale) -> Sales:
    """Copies of what is loaded once; after that Postgres is away."""
    left = list(answers)

    async def load(_sale_id: str) -> Sale:
        if not left:
            raise TimeoutError
        return left.pop()

    none = cast("object", None)
    return Sales(load, cast("Redis", none), cast("AcceptScript", none), cast("BatchObserver", none))


async def test_a_copy_is_what_the_plan_says_without_asking_anybody() -> None:
    hold, mode = READ_AT + timedelta(milliseconds=100), READ_AT + timedelta(milliseconds=200)
    made = planned_sale(PlanEntry(at=hold, phase="hold"), PlanEntry(at=mode, room={"mode": "always", "rate_per_s": 7}))
    sales = sales_that_load(made)
    cached = await sales.get("one")
    assert cached is not None
    assert (cached.sale.phase, cached.has_room) == ("open", False)

    async def has_changed() -> bool:
        seen = sales.fresh("one")
        return seen is not None and seen.has_room

    await eventually(has_changed, within_s=1.0)
    assert (cached.sale.phase, cached.sale.room) == ("hold", {"mode": "always", "rate_per_s": 7})
    assert cached.sale.base_room == {"mode": "off"}


async def test_a_copy_that_cannot_be_read_anew_goes_on_by_the_plan() -> None:
    made = planned_sale(PlanEntry(at=READ_AT + timedelta(milliseconds=100), phase="hold"))
    sales = sales_that_load(made)
    cached = await sales.get("one")
    assert cached is not None
    await asyncio.sleep(0.1)
    cached.fresh_until = 0.0
    again = await sales.get("one")
    assert again is cached
    assert (cached.sale.phase, cached.sale.version) == ("hold", 1)
