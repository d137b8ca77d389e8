"""Deliveries: every event at least once, an order's in order, signed; whatever receivers do, no other is delayed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from aiohttp import web
from standardwebhooks import Webhook

from db.orders.orders import read_order
from db.orders.states import Status
from db.orders.transitions import transition
from db.orders.view import show
from db.webhooks import deliveries, endpoints, replays
from intake.ops.webhooks.lookup import new_secret
from tests.fixtures.receivers import (
    Behaviour,
    Got,
    Hooks,
    Receiver,
    close_early,
    drip,
    hang,
    huge,
    redirect,
)
from tests.fixtures.waiting import eventually
from workers.runtime.shift import EndReason
from workers.webhooks import deliver as deliver_module


@pytest.fixture
async def sold(hooks: Hooks) -> Hooks:
    """A shop that can sell."""
    await hooks.shop.stock(lamp=100)
    await hooks.shop.open_sale("lamp")
    return hooks


async def sell(hooks: Hooks, *customers: str, key: str = "1") -> list[str]:
    """Sell a lamp to each; return the ids of their orders."""
    ids = await hooks.shop.buy(*customers, key=key, lamp=1)
    await hooks.shop.drain()
    await hooks.shop.settle()
    return [str(one) for one in ids]


async def test_each_event_comes_signed_and_an_orders_in_order(sold: Hooks) -> None:
    receiver = await sold.receiver()
    ids = await sell(sold, "ada", "bob", "cyd")
    await sold.tell()
    assert sorted(receiver.ids) == sorted(f"{one}:{seq}" for one in ids for seq in (1, 2))
    for order_id in ids:
        mine = [one for one in receiver.got if one.body["data"]["order_id"] == order_id]
        assert [(one.id, one.type) for one in mine] == [
            (f"{order_id}:1", "order.pending"), (f"{order_id}:2", "order.confirmed"),
        ]  # fmt: skip
    assert set(await sold.states(receiver)) == {"delivered"}
    await sold.tell()
    assert len(receiver.got) == 6, "told once"


async def test_the_body_is_the_order_as_it_stood_then(sold: Hooks) -> None:
    receiver = await sold.receiver()
    (order_id,) = await sell(sold, "ada")
    for to in (Status.PROCESSING, Status.SHIPPED):
        await transition(sold.shop.db, UUID(order_id), to)
    await sold.tell()
    assert receiver.types == ["order.pending", "order.confirmed", "order.processing", "order.shipment", "order.shipped"]
    order = await read_order(sold.shop.db, UUID(order_id))
    assert order is not None
    for seq, got in enumerate(receiver.got, 1):
        assert set(got.body) == {"id", "type", "timestamp", "data"}
        assert got.body["id"] == got.id == got.headers["webhook-id"]
        shown = msgspec.json.decode(msgspec.json.encode(show(order, seq)))
        assert got.body["data"] == shown | {"order": shown}
    seen = [(got.body["data"]["status"], len(got.body["data"]["history"])) for got in receiver.got]
    assert seen == [("pending", 1), ("confirmed", 2), ("processing", 3), ("processing", 3), ("shipped", 4)]


async def test_without_endpoints_nothing_is_written(sold: Hooks) -> None:
    await sell(sold, "ada")
    await sold.tell()
    assert await sold.shop.db.fetchval("select count(*) from webhook_deliveries") == 0
    receiver = await sold.receiver()
    await sold.tell()
    assert receiver.got == [], "what was before comes by a replay alone"
    await sell(sold, "bob")
    await sold.tell()
    assert receiver.types == ["order.pending", "order.confirmed"]


async def test_an_endpoint_gets_the_types_that_it_wants(sold: Hooks) -> None:
    confirmed, all_of_them = await sold.receiver("order.confirmed", "sale.closed"), await sold.receiver()
    await sell(sold, "ada", "bob")
    await sold.tell()
    assert confirmed.types == ["order.confirmed"] * 2
    assert len(all_of_them.got) == 4


@pytest.mark.usefixtures("patient_shifts")
async def test_the_next_event_of_an_order_waits_for_the_one_before(sold: Hooks) -> None:
    receiver = await sold.receiver()
    receiver.answers = [500, 503]
    (ada,) = await sell(sold, "ada")
    await sold.fan_out()
    await sold.deliver()
    assert receiver.ids == [f"{ada}:1"] * 3 + [f"{ada}:2"]
    assert len({one.raw for one in receiver.got[:3]}) == 1, "the body is the same at every attempt"


async def test_an_order_that_fails_delays_no_other_order(sold: Hooks) -> None:
    receiver = await sold.receiver()
    ada, bob = await sell(sold, "ada", "bob")

    async def refuse_ada(request: object) -> object:
        return web.Response(status=500 if receiver.got[-1].body["data"]["order_id"] == ada else 200)

    receiver.behave = refuse_ada  # type: ignore[assignment]
    await sold.fan_out()
    await sold.deliver(webhook_retry_s=60)
    assert receiver.ids.count(f"{ada}:1") == 1
    assert f"{ada}:2" not in receiver.ids
    assert f"{bob}:2" in receiver.ids


@pytest.mark.usefixtures("patient_shifts")
@pytest.mark.parametrize("behave", [hang, drip, huge, close_early, redirect], ids=lambda one: one.__name__)
async def test_a_bad_receiver_delays_no_other_and_is_told_again(sold: Hooks, behave: Behaviour) -> None:
    bad, good = await sold.receiver(), await sold.receiver()
    bad.answers = [behave]
    await sell(sold, "ada")
    await sold.fan_out()
    running = asyncio.create_task(sold.deliver(webhook_timeout_s=2.0))

    async def has_both() -> bool:
        return len(good.got) == 2

    await eventually(has_both, within_s=5, what="the good receiver to have both")
    await running
    assert bad.ids == [good.ids[0], *good.ids]
    assert "/elsewhere" not in str(bad.got)
    log = await deliveries.list_log(sold.shop.db, bad.webhook_id)
    assert [(one.state, one.attempts) for one in reversed(log)] == [("delivered", 2), ("delivered", 1)]


async def test_a_hanging_endpoint_fills_its_own_lane_alone(sold: Hooks) -> None:
    is_over = asyncio.Event()

    async def until_it_is_over(_request: web.Request) -> web.StreamResponse:
        await is_over.wait()
        return web.Response(status=500)

    stuck, good = await sold.receiver(behave=until_it_is_over), await sold.receiver()
    customers = [f"c{number}" for number in range(30)]
    await sell(sold, *customers)
    await sold.fan_out()
    running = asyncio.create_task(sold.deliver(webhook_timeout_s=60, webhook_concurrency=3, webhook_retry_s=60))

    async def has_all() -> bool:
        return len(good.got) == 60

    await eventually(has_all, within_s=10, what="the good receiver to have all")
    is_over.set()
    await running
    assert stuck.most_at_once <= 3
    assert await sold.state(stuck) == "active"


async def test_410_disables(sold: Hooks) -> None:
    receiver = await sold.receiver()
    receiver.answers = [410]
    await sell(sold, "ada")
    await sold.tell()
    assert (await sold.state(receiver), len(receiver.got)) == ("disabled", 1)
    await sell(sold, "bob")
    await sold.tell()
    assert len(receiver.got) == 1
    async with sold.shop.db.transaction():
        await endpoints.resume(sold.shop.db, receiver.webhook_id)
        await deliveries.send_at_once(sold.shop.db, receiver.webhook_id)
    await sold.tell()
    assert receiver.types == ["order.pending", "order.pending", "order.confirmed"]


@pytest.mark.usefixtures("patient_shifts")
async def test_an_endpoint_that_fails_again_and_again_is_paused(sold: Hooks, caplog: pytest.LogCaptureFixture) -> None:
    receiver = await sold.receiver()
    receiver.answers = [500] * 3
    await sell(sold, "ada")
    await sold.tell(webhook_pause_after=3)
    found = await endpoints.read(sold.shop.db, receiver.webhook_id)
    assert found is not None
    assert (found.state, found.failures, len(receiver.got)) == ("paused", 3, 3)
    assert found.state_reason is not None
    assert "answered 500" in found.state_reason
    assert "a webhook is no longer sent to" in caplog.text
    await sell(sold, "bob")
    await sold.tell()
    assert len(receiver.got) == 3, "what comes meanwhile waits"
    async with sold.shop.db.transaction():
        await endpoints.resume(sold.shop.db, receiver.webhook_id)
        await deliveries.send_at_once(sold.shop.db, receiver.webhook_id)
    await sold.deliver()
    assert set(await sold.states(receiver)) == {"delivered"}
    assert len(receiver.got) == 7


async def test_retry_after_is_heeded(sold: Hooks) -> None:
    from aiohttp import web

    receiver = await sold.receiver()

    async def later(request: web.Request) -> web.StreamResponse:
        return web.Response(status=429, headers={"Retry-After": "3600"})

    receiver.answers = [later]
    await sell(sold, "ada")
    await sold.tell()
    assert len(receiver.got) == 1
    (line, _) = reversed(await deliveries.list_log(sold.shop.db, receiver.webhook_id))
    assert line.next_try_at is not None
    assert timedelta(minutes=59) < line.next_try_at - datetime.now(UTC) < timedelta(minutes=61)
    assert (line.status_code, line.error) == (429, "answered 429")


async def test_what_fails_for_too_long_is_a_dead_letter_and_the_next_goes_on(sold: Hooks) -> None:
    receiver = await sold.receiver()
    (ada,) = await sell(sold, "ada")
    receiver.answers = [500] * 20
    await sold.fan_out()

    async def is_dead() -> bool:
        await sold.deliver(webhook_retry_for_s=1, webhook_retry_s=0.2)
        return "dead" in await sold.states(receiver)

    await eventually(is_dead, what="the delivery to be given up")
    await sold.deliver(webhook_retry_for_s=1, webhook_retry_s=0.2)
    first, second = reversed(await deliveries.list_log(sold.shop.db, receiver.webhook_id))
    assert (first.event_id, first.state) == (f"{ada}:1", "dead")
    assert first.attempts >= 2
    assert second.attempts >= 1, "the next one is no longer held up"


async def test_both_secrets_sign_for_a_day(sold: Hooks) -> None:
    receiver = await sold.receiver()
    new = new_secret()
    await endpoints.rotate(sold.shop.db, receiver.webhook_id, new, both_s=60)
    await sell(sold, "ada")
    await sold.tell()
    assert len(receiver.got) == 2, "the former secret, by which the receiver checks, signs still"
    for got in receiver.got:
        assert Webhook(new).verify(got.raw, got.headers) == got.body
        assert len(got.headers["webhook-signature"].split(" ")) == 2
    await sold.shop.db.execute("update webhooks set former_until = now() - interval '1 s'")
    receiver.secret = new
    await sell(sold, "bob")
    await sold.tell()
    assert len(receiver.got[-1].headers["webhook-signature"].split(" ")) == 1


async def test_a_replay_sends_the_same_ids_again(sold: Hooks) -> None:
    receiver = await sold.receiver()
    _, bob = await sell(sold, "ada", "bob")
    await sold.tell()
    before = {one.id: one.body for one in receiver.got}
    receiver.got.clear()
    since = datetime.now(UTC) - timedelta(hours=1)
    await replays.add(sold.shop.db, receiver.webhook_id, since, None, None)
    await sold.tell()
    assert {one.id: one.body["data"]["status"] for one in receiver.got} == {
        one: body["data"]["status"] for one, body in before.items()
    }
    receiver.got.clear()
    await replays.add(sold.shop.db, receiver.webhook_id, since, None, UUID(bob))
    await sold.tell()
    assert receiver.ids == [f"{bob}:1", f"{bob}:2"]
    receiver.got.clear()
    await replays.add(sold.shop.db, receiver.webhook_id, since, since + timedelta(minutes=1), None)
    await sold.tell()
    assert receiver.got == []
    assert not await replays.any_replay(sold.shop.db)


async def test_what_was_before_an_endpoint_comes_by_a_replay(sold: Hooks) -> None:
    (ada,) = await sell(sold, "ada")
    receiver = await sold.receiver("order.confirmed")
    await replays.add(sold.shop.db, receiver.webhook_id, datetime.now(UTC) - timedelta(hours=1), None, None)
    await sold.tell()
    assert receiver.ids == [f"{ada}:2"]


async def test_a_test_is_sent_once_also_to_one_that_is_paused(sold: Hooks) -> None:
    receiver = await sold.receiver()
    await sold.shop.db.execute("update webhooks set state = 'paused'")
    receiver.answers = [500]
    for number in (1, 2):
        await deliveries.add_test(sold.shop.db, receiver.webhook_id, f"test:{number}")
        await sold.deliver()
    assert [(one.id, one.type) for one in receiver.got] == [("test:1", "webhook.test"), ("test:2", "webhook.test")]
    assert receiver.got[0].body["data"] == {"webhook_id": receiver.webhook_id}
    assert await sold.states(receiver) == ["discarded", "delivered"]
    assert await sold.state(receiver) == "paused"


async def test_what_a_deleted_endpoint_was_to_get_goes_with_it(sold: Hooks) -> None:
    receiver = await sold.receiver()
    await sell(sold, "ada")
    await sold.fan_out()
    await endpoints.delete(sold.shop.db, receiver.webhook_id)
    await sold.deliver()
    await sold.fan_out()
    assert receiver.got == []
    assert await sold.shop.db.fetchval("select count(*) from webhook_deliveries") == 0
    assert await sold.shop.db.fetchval("select count(*) from webhooks") == 0


async def test_a_shift_that_gives_way_counts_what_hung_and_lets_its_successor_go_on(
    sold: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliver_module, "CUT_S", 0.2)
    monkeypatch.setattr(deliver_module, "GIVE_WAY_S", 0.3)
    receiver = await sold.receiver(behave=hang)
    await sell(sold, "ada")
    await sold.fan_out()
    assert await sold.deliver(shift_s=1) == EndReason.TIME_UP
    (line, _) = reversed(await deliveries.list_log(sold.shop.db, receiver.webhook_id))
    assert (line.state, line.attempts) == ("due", 1)
    assert line.error is not None
    assert "no answer within" in line.error
    assert isinstance(receiver, Receiver)
    assert isinstance(receiver.got[0], Got)
