"""Whatever fails, stops, is killed or done twice: every event arrives, an order's in order, under one id."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from uuid import UUID

import pytest
from aiohttp import web

from db.audit.questions import audit
from db.orders.states import Status
from db.orders.transitions import transition
from doorbuster.settings import Settings
from tests.fixtures.receivers import Hooks, Receiver, close_early
from tests.fixtures.waiting import eventually
from workers.runtime import shift
from workers.runtime.shift import EndReason
from workers.webhooks import back_off
from workers.webhooks.deliver import Deliver
from workers.webhooks.fan_out import FanOut

LONGEST_S = 0.5
"""Between two attempts, however many there were."""
STEPS = (Status.PROCESSING, Status.SHIPPED, Status.DELIVERED)


async def sell(hooks: Hooks, orders: int, units: int = 1) -> list[UUID]:
    await hooks.shop.stock(lamp=orders * units)
    await hooks.shop.open_sale("lamp")
    ids = await hooks.shop.buy(*(f"c{number}" for number in range(orders)), lamp=units)
    await hooks.shop.drain()
    await hooks.shop.settle()
    return ids


def assert_in_order(receiver: Receiver, taken: list[str], ids: list[UUID], events: int) -> None:
    """Every event was taken; of each order the first time in order."""
    for order_id in ids:
        mine = [int(one.rpartition(":")[2]) for one in taken if one.startswith(str(order_id))]
        assert list(dict.fromkeys(mine)) == list(range(1, events + 1)), mine
        tried = [int(one.rpartition(":")[2]) for one in receiver.ids if one.startswith(str(order_id))]
        assert tried == sorted(tried), "nothing was tried before what came before it was taken"


@pytest.mark.parametrize("seed", range(4))
async def test_an_orders_events_arrive_in_order_whatever_fails(
    hooks: Hooks, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    # What fails eleven times in a row, as in one of a hundred runs, is not waited for by the minute.
    monkeypatch.setattr(back_off, "LONGEST_S", LONGEST_S)
    monkeypatch.setattr(back_off, "ENDPOINT_LONGEST_S", LONGEST_S)
    chance = random.Random(seed)
    receiver, other = await hooks.receiver(), await hooks.receiver("order.shipped")
    taken: list[str] = []

    async def moody(request: web.Request) -> web.StreamResponse:
        mine = receiver.got[-1].id
        await asyncio.sleep(chance.uniform(0, 0.02))
        fate = chance.random()
        if fate < 0.3:
            return web.Response(status=chance.choice([400, 429, 500, 503]))
        taken.append(mine)  # the answer may be lost all the same
        return await close_early(request) if fate < 0.4 else web.Response()

    receiver.behave = moody
    ids = await sell(hooks, 12)
    for to in STEPS:
        for order_id in chance.sample(ids, len(ids)):
            await transition(hooks.shop.db, order_id, to)
        await hooks.fan_out()
        if chance.random() < 0.5:  # a shift that is killed
            dying = asyncio.create_task(hooks.deliver(webhook_concurrency=chance.randint(1, 8)))
            await asyncio.sleep(chance.uniform(0.05, 0.3))
            dying.cancel()
            await asyncio.gather(dying, return_exceptions=True)
            await hooks.shop.db.execute("update shifts set lease_expires_at = now()")

    async def is_done() -> bool:
        await hooks.deliver(webhook_retry_s=0.05, webhook_pause_after=1_000_000)
        return {"delivered"} == set(await hooks.states(receiver))

    await eventually(is_done, within_s=60, what="all to be delivered")
    assert_in_order(receiver, taken, ids, 2 + len(STEPS) + 1)  # the parcel has an event of its own
    assert set(other.ids) == {f"{one}:5" for one in ids}


@pytest.mark.usefixtures("patient_shifts")
async def test_killed_between_sending_and_writing_it_sends_again_under_the_same_id(
    hooks: Hooks, settings: Settings
) -> None:
    receiver = await hooks.receiver()
    (order_id,) = await sell(hooks, 1)
    await hooks.fan_out()
    environment = os.environ | {
        name.upper(): str(value.get_secret_value() if hasattr(value, "get_secret_value") else value)
        for name, value in settings.model_copy(update=hooks.settings)
        if value not in (None, ()) and not isinstance(value, tuple)
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from workers import jobs; jobs.webhooks()", env=environment,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip

    async def kill(request: web.Request) -> web.StreamResponse:
        process.send_signal(signal.SIGKILL)
        await process.wait()
        return web.Response()

    receiver.answers = [kill]
    assert await asyncio.wait_for(process.wait(), 30) == -signal.SIGKILL
    assert await hooks.states(receiver) == ["due", "waiting"]

    async def is_taken_over() -> bool:
        return await hooks.deliver() is not EndReason.NOT_FREE

    await eventually(is_taken_over, what="the dead one's lease to run out")
    assert receiver.ids == [f"{order_id}:1", f"{order_id}:1", f"{order_id}:2"]
    assert receiver.got[0].raw == receiver.got[1].raw
    assert await hooks.states(receiver) == ["delivered", "delivered"]


async def test_two_at_once_deliver_nothing_twice(hooks: Hooks) -> None:
    receiver = await hooks.receiver()
    await sell(hooks, 20)
    fanning = await asyncio.gather(*(hooks.shop.run(f"fan_out:{n}", FanOut, **hooks.settings) for n in range(2)))
    assert fanning == [EndReason.IDLE] * 2, "two relays, each with a lease of its own: the events' ids keep them apart"
    both_came = asyncio.Event()

    async def held(request: web.Request) -> web.StreamResponse:
        await both_came.wait()
        return web.Response()

    receiver.behave = held
    delivering = [asyncio.create_task(hooks.deliver()) for _ in range(2)]
    await asyncio.wait(delivering, return_when=asyncio.FIRST_COMPLETED)
    both_came.set()
    ended = await asyncio.gather(*delivering)
    assert sorted(ended) == [EndReason.IDLE, EndReason.NOT_FREE]
    assert len(receiver.ids) == len(set(receiver.ids)) == 40


@pytest.mark.usefixtures("patient_shifts")
async def test_who_has_lost_the_lease_writes_nothing(hooks: Hooks, monkeypatch: pytest.MonkeyPatch) -> None:
    receiver = await hooks.receiver()
    (order_id,) = await sell(hooks, 1)
    await hooks.fan_out()
    released = asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        await released.wait()
        return web.Response(status=500)

    receiver.answers = [slow]
    monkeypatch.setattr(shift, "BLOCK_S", 0.05)
    first = asyncio.create_task(hooks.deliver(lease_s=60))

    async def has_begun() -> bool:
        return bool(receiver.got)

    await eventually(has_begun, what="the first to send")
    await hooks.shop.db.execute("update shifts set lease_expires_at = now() where name = 'webhooks'")
    assert await hooks.deliver() == EndReason.IDLE
    assert await hooks.states(receiver) == ["delivered", "delivered"]
    released.set()
    assert await first == EndReason.LEASE_LOST
    assert await hooks.states(receiver) == ["delivered", "delivered"], "its failure does not count any more"
    assert receiver.ids == [f"{order_id}:1", f"{order_id}:1", f"{order_id}:2"]


@pytest.mark.usefixtures("patient_shifts")
async def test_a_store_that_fails_between_sending_and_writing_costs_a_repetition_at_most(
    hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    from db.webhooks import deliveries

    receiver = await hooks.receiver()
    await sell(hooks, 3)
    await hooks.fan_out()
    finish, failures = deliveries.finish, [OSError("away"), OSError("away")]

    async def failing(*arguments: object) -> None:
        if failures:
            raise failures.pop()
        await finish(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(deliveries, "finish", failing)
    assert await hooks.deliver() == EndReason.IDLE
    assert sorted(receiver.ids) == sorted(set(receiver.ids)), "what was answered is remembered, and written later"
    assert set(await hooks.states(receiver)) == {"delivered"}
    assert Deliver.full > 0


async def test_the_audit_finds_an_event_that_a_webhook_was_not_given(hooks: Hooks) -> None:
    shop = hooks.shop
    await hooks.receiver("order.confirmed")
    await hooks.receiver("order.shipped")
    await shop.db.execute("update webhooks set events_from = now() - interval '1 minute'")
    await sell(hooks, 3)
    await hooks.tell()
    (figure,) = [one for one in (await audit(shop.db)).figures if "webhooks want" in one.what]
    assert (figure.promise, figure.value, figure.breaches) == ("P6", 3, 0)
    await shop.db.execute(
        "delete from webhook_deliveries where event_id = (select min(event_id) from webhook_deliveries)"
    )
    (figure,) = [one for one in (await audit(shop.db)).figures if "webhooks want" in one.what]
    assert (figure.value, figure.breaches) == (3, 1)
    await shop.db.execute("delete from webhooks")  # the audit at the test's end would say so too
