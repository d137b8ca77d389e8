"""Rows of TellingLate: receivers that fail, are private, want nothing, are slow, or are not sent to."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from tests.fixtures.night import Night, work_off
from tests.fixtures.receivers import Hooks, Receiver, hang
from tests.fixtures.runbook_rows import Row
from tests.fixtures.waiting import eventually

NAME = "TellingLate"
METRICS = "curl -s $OPS_URL/metrics"
SHOW, RESUME = "doorbuster webhooks show $ID", "doorbuster webhooks resume $ID"
DELIVERIES = "doorbuster webhooks deliveries $ID"

_customers = itertools.count()


async def _fails(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=500)


async def _gone(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=410)


async def _sells(row: Row, hooks: Hooks, receiver: Receiver, **settings: Any) -> None:
    """Sell a lamp and tell the receiver of it, as far as it takes it."""
    row.night.person.env["ID"] = str(receiver.webhook_id)
    await row.night.shop.buy(f"c{next(_customers)}", lamp=1)
    await row.night.shop.drain()
    await work_off(row.night.shop)
    await hooks.fan_out()
    await hooks.deliver(**settings)


async def _told(hooks: Hooks, receiver: Receiver, **settings: Any) -> None:
    """Deliver what there is until the receiver has all of it."""

    async def all_there() -> bool:
        await hooks.deliver(**settings)
        return set(await hooks.states(receiver)) == {"delivered"}

    await eventually(all_there, what="all events to be delivered")


async def _quiet(night: Night) -> None:
    await work_off(night.shop)
    await night.fires()


@pytest.mark.walks(NAME, "`paused`, `answered 500` or `no answer within`")
async def test_its_receiver_fails(row: Row, hooks: Hooks) -> None:
    for behave, timeout_s in ((_fails, 30.0), (hang, 0.1)):
        receiver = await hooks.receiver(behave=behave)
        await _sells(row, hooks, receiver, webhook_pause_after=1, webhook_timeout_s=timeout_s)
        await row.night.fires(NAME)
        assert "paused" in await row.looks(SHOW)
        await row.does(DELIVERIES)
        receiver.behave = None
        testing = asyncio.create_task(row.does("doorbuster webhooks test $ID"))
        while not testing.done():
            await hooks.deliver()
            await asyncio.sleep(0.01)
        assert "taken" in testing.result()
        await row.does(RESUME)
        await _told(hooks, receiver)
        await _quiet(row.night)
        await row.night.shop.db.execute("delete from webhooks")


@pytest.mark.walks(NAME, "`paused`, `is not of the open internet`")
async def test_its_name_leads_to_a_private_address(row: Row, hooks: Hooks) -> None:
    receiver = await hooks.receiver()
    await _sells(row, hooks, receiver, webhook_pause_after=1, webhook_allow_private=False)
    await row.night.fires(NAME)
    await row.looks(SHOW)
    assert receiver.got == []
    await row.does(RESUME)
    await _told(hooks, receiver, webhook_allow_private=True)
    await _quiet(row.night)


@pytest.mark.walks(NAME, "`disabled`")
@pytest.mark.parametrize("is_meant", [True, False])
async def test_it_wants_nothing_any_more(row: Row, hooks: Hooks, is_meant: bool) -> None:
    row.night.person.env["SINCE"] = datetime.now(UTC).isoformat()
    receiver = await hooks.receiver(behave=_gone)
    await _sells(row, hooks, receiver)
    await row.night.fires(NAME)
    await row.looks("doorbuster webhooks list", SHOW)
    if is_meant:
        await row.does("doorbuster webhooks delete $ID --yes")
        await _quiet(row.night)
        return
    receiver.behave = None
    await _sells(row, hooks, receiver)  # it is not kept for it
    await row.does(RESUME)
    await row.does("doorbuster webhooks replay $ID --since $SINCE")
    orders = await row.night.shop.db.fetchval("select count(*) from orders")

    async def heard_of_all() -> bool:
        await hooks.tell()
        return len({got.body["data"]["order_id"] for got in receiver.got if "order_id" in got.body["data"]}) == orders

    await eventually(heard_of_all, what="the receiver to hear of all orders")
    await _quiet(row.night)


@pytest.mark.walks(NAME, "`active`, `doorbuster_webhook_oldest_seconds` grows")
async def test_it_is_slower_than_events_come(row: Row, hooks: Hooks) -> None:
    night = row.night

    async def slow(_request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.05)
        return web.Response(status=204)

    receiver = await hooks.receiver(behave=slow)
    night.person.env["ID"] = str(receiver.webhook_id)
    await night.shop.buy(*(f"c{number}" for number in range(10)), lamp=1)
    await night.shop.drain()
    await work_off(night.shop)
    await hooks.fan_out()
    one_by_one = asyncio.create_task(hooks.deliver(webhook_concurrency=1))
    await row.looks(SHOW)
    first, second = await _oldest(row, 0), 0.0
    second = await _oldest(row, first)
    assert second > first
    await one_by_one
    assert receiver.most_at_once == 1
    await night.shop.buy(*(f"d{number}" for number in range(5)), lamp=1)
    await night.shop.drain()
    await work_off(night.shop)
    await hooks.fan_out()
    await _told(hooks, receiver, webhook_concurrency=8)
    assert receiver.most_at_once > 1, "more at a time"
    await _quiet(night)


async def _oldest(row: Row, beyond: float) -> float:
    """Look until the oldest event is older than that."""

    async def look() -> float:
        text = (await row.night.intake.ops.get("/metrics")).text
        ages = [line for line in text.splitlines() if line.startswith("doorbuster_webhook_oldest_seconds{")]
        found = float(ages[0].split()[-1])
        return found if found > beyond else 0.0

    age_s = await eventually(look, what="the oldest event to grow older")
    await row.looks(METRICS)
    return age_s


@pytest.mark.walks(NAME, "`dead` deliveries")
async def test_it_was_tried_in_vain(row: Row, hooks: Hooks) -> None:
    night = row.night
    receiver = await hooks.receiver("order.confirmed", behave=_fails)

    async def is_given_up() -> bool:
        await hooks.deliver(webhook_retry_for_s=1)
        return await hooks.states(receiver) == ["dead"]

    await _sells(row, hooks, receiver, webhook_retry_for_s=1)
    await eventually(is_given_up, what="the delivery to be given up")
    await night.fires(NAME)
    await row.does(DELIVERIES)
    await row.looks(METRICS)
    receiver.behave = None
    assert "delivery-" in await row.does("doorbuster dead-letters list --kind delivery")
    dead = await night.shop.db.fetchval("select delivery_id from webhook_deliveries")
    night.person.env["ID"] = f"delivery-{dead}"
    await row.does("doorbuster dead-letters retry $ID")
    await _told(hooks, receiver)
    await _quiet(night)


@pytest.mark.walks(NAME, "every one `due`, none tried")
async def test_nobody_sends(row: Row, hooks: Hooks) -> None:
    night = row.night
    night.alive.close()
    receiver = await hooks.receiver()
    night.person.env |= {"ID": str(receiver.webhook_id), "WEBHOOK_ALLOW_PRIVATE": "true"}
    await night.shop.buy("ada", lamp=1)
    await night.shop.drain()
    await work_off(night.shop)
    await hooks.fan_out()
    said = await row.does(DELIVERIES)
    lines = [line.split() for line in said.splitlines()[1:]]
    assert [(line[3], line[4]) for line in lines] == [("due", "0")] * len(lines)
    assert lines
    row.starts("python -m workers.scheduler &")
    row.starts("python -m workers &")

    async def all_there() -> bool:
        return set(await hooks.states(receiver)) == {"delivered"}

    await eventually(all_there, within_s=30, what="all events to be delivered")
