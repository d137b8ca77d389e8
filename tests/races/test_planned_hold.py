"""A hold is put into the plan of a sale while orders flow: none is accepted in its window, by the order store's clock.

The negative control has the accept script not look at the plan: then it must be seen that orders were.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from doorbuster import keys
from doorbuster.lua_script import Script
from doorbuster.orderstore import accept
from tests.fixtures.waiting import eventually

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from tests.fixtures.intake import Intake

POSTERS = 6
PLAN = "if gate[10] then"


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


async def in_the_hold(intake: Intake, orders: Redis, *, hold_s: float = 0.6) -> tuple[int, int, int]:
    """Post all the while, have a hold come and go by the plan; return how many were accepted before, in, after it."""
    await intake.make_product("hot", units=100_000)
    sale = await intake.open_sale("one", "hot")
    ended = asyncio.Event()

    async def post() -> None:
        while not ended.is_set():
            await intake.post("one")

    async def plan() -> tuple[datetime, datetime] | None:
        standing = (await intake.ops.get("/ops/sales/one")).json()["timeline"]
        hold = datetime.now(UTC) + timedelta(seconds=1.0)
        resume = hold + timedelta(seconds=hold_s)
        entries = [{"at": hold.isoformat(), "phase": "hold"}, {"at": resume.isoformat(), "phase": "open"}]
        answer = await intake.ops.patch("/ops/sales/one", json={"timeline": [*standing, *entries]})
        # A machine that was too slow for it tries again, with another hold.
        return (hold, resume) if answer.status_code == 200 and datetime.now(UTC) < hold else None

    async def went_on() -> bool:
        return any(at >= _ms(resume) for at in await accepted())

    async def accepted() -> list[int]:
        entries = await orders.xrange(keys.stream(sale["sale_number"], 0))
        return [int(entry_id.partition(b"-")[0]) for entry_id, _ in entries]

    async with asyncio.TaskGroup() as group:
        for _ in range(POSTERS):
            group.create_task(post())
        await eventually(accepted, what="orders to be accepted")
        hold, resume = await eventually(plan) or (datetime.max, datetime.max)
        await eventually(went_on)
        ended.set()
    seen = await accepted()
    before = sum(at < _ms(hold) for at in seen)
    after = sum(at >= _ms(resume) for at in seen)
    return before, len(seen) - before - after, after


async def test_no_order_is_accepted_in_a_planned_hold(intake: Intake, orders_redis: Redis) -> None:
    before, within, after = await in_the_hold(intake, orders_redis)
    assert (before > 0, within, after > 0) == (True, 0, True)


async def test_a_script_that_does_not_look_at_the_plan_is_found_out(
    intake: Intake, orders_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert PLAN in accept._accept.source
    monkeypatch.setattr(accept, "_accept", Script(accept._accept.source.replace(PLAN, "if false then")))
    # Long enough for a process that gets no turn in a part of it.
    _, within, _ = await in_the_hold(intake, orders_redis, hold_s=2.0)
    assert within > 0
