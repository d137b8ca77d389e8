"""How late each stage is: seen in seconds, by shift, whatever has stopped."""

from __future__ import annotations

import time
from uuid import uuid4

import pytest

from db import progress
from db.orders import money
from db.work import shifts
from doorbuster.orderstore import unread
from tests.fixtures.intake import Serve
from tests.fixtures.shop import Shop
from workers.publish.catalogue import catalogue_relay
from workers.publish.events import RELAY


@pytest.fixture
async def lamp_sale(shop: Shop) -> Shop:
    await shop.stock(lamp=100)
    await shop.open_sale("lamp", partitions=2)
    return shop


async def test_each_stage_says_how_old_its_oldest_work_is(lamp_sale: Shop) -> None:
    shop, here, there = lamp_sale, (lamp_sale.sale_number, 0), (lamp_sale.sale_number, 1)
    assert await progress.oldest_payments(shop.db, [here, there]) == {here: 0, there: 0}
    assert await progress.oldest_event(shop.db, RELAY) == 0
    await shop.buy("ada", "bob", lamp=1)
    entries = await unread.look(shop.orders, {here: "0-0", there: "0-0"})
    assert entries[here].accepted == 2
    assert entries[here].age_ms < 60_000
    assert entries[there].age_ms == 0
    await shop.drain()
    began = time.monotonic()
    await shop.db.execute("update reservations set due_at = now() - interval '7 s'")
    await shop.db.execute("update order_events set at = now() - interval '9 s'")
    payments = await progress.oldest_payments(shop.db, [here, there])
    published_s = await progress.oldest_event(shop.db, RELAY)
    took_s = time.monotonic() - began
    assert 7 <= payments[here] <= 7 + took_s
    assert payments[there] == 0
    assert 9 <= published_s <= 9 + took_s
    await shop.settle()
    await shop.relay()
    assert await progress.oldest_payments(shop.db, [here]) == {here: 0}
    assert await progress.oldest_event(shop.db, RELAY) == 0


async def test_a_payment_that_is_to_be_tried_later_is_not_late(lamp_sale: Shop) -> None:
    await lamp_sale.db.execute(
        "insert into reservations (order_id, sale_number, partition, due_at, expires_at, total, currency)"
        " values ($1, $2, 0, now() + interval '1 minute', now() + interval '2 minutes', 1, 'EUR')",
        uuid4(),
        lamp_sale.sale_number,
    )
    here = (lamp_sale.sale_number, 0)
    assert await progress.oldest_payments(lamp_sale.db, [here]) == {here: 0}
    await lamp_sale.db.execute("delete from reservations")


async def test_what_bounds_a_shift_is_seen(lamp_sale: Shop) -> None:
    taken = await shifts.take(lamp_sale.db, "settle:1:0", holder="test", lease_s=60)
    assert taken is not None
    assert await progress.limited_shifts(lamp_sale.db) == []
    await shifts.renew(lamp_sale.db, "settle:1:0", taken.fence, lease_s=60, batch_max=7)
    await shifts.note_payments(lamp_sale.db, "settle:1:0", taken.fence, payments_per_s=250.0)
    assert await progress.limited_shifts(lamp_sale.db) == [("settle:1:0", 7, 250.0, None)]
    await shifts.note_payments(
        lamp_sale.db, "settle:1:0", taken.fence, payments_per_s=None, paused=("rate_limited", 9.0)
    )
    assert await progress.limited_shifts(lamp_sale.db) == [("settle:1:0", 7, None, "rate_limited")]
    await lamp_sale.db.execute("update shifts set payments_paused_until = now()")
    assert await progress.limited_shifts(lamp_sale.db) == [("settle:1:0", 7, None, None)]


async def test_what_keeps_money_from_moving_is_said_to_ops(lamp_sale: Shop, serve: Serve) -> None:
    intake = await serve()
    (order_id,) = await lamp_sale.buy("ada", lamp=1)
    await lamp_sale.drain()
    await lamp_sale.settle()
    await money.queue_capture(lamp_sale.db, order_id, 10**6, shipment_id=None)
    await lamp_sale.money()
    await money.queue_look_ups(lamp_sale.db, [order_id])
    await _tell_all(lamp_sale)
    began = time.monotonic()
    await lamp_sale.db.execute("update payment_operations set due_at = now() - interval '1 m' where state = 'due'")
    taken = await shifts.take(lamp_sale.db, "settle:1:0", holder="test", lease_s=60)
    assert taken is not None
    await shifts.note_payments(lamp_sale.db, "settle:1:0", taken.fence, payments_per_s=1.0, paused=("down", 900.0))
    said = (await intake.http.get("/readyz")).json()["progress"]
    assert (said["operations_due"], said["operations_failed"]) == (1, 1)
    assert said["payments_paused"] == {"settle:1:0": "down"}
    took_s = time.monotonic() - began
    due, _, due_s = said["late"][0].removesuffix(" s").rpartition(" for ")
    assert due == "the oldest operation at the payment provider has been due"
    assert 60 <= int(due_s) <= 60.5 + took_s
    assert said["late"][1:] == [
        "the payment provider is down: it is left alone for a moment",
        "operations that the payment provider refused for good: 1",
    ]
    shown = (await intake.http.get("/metrics")).text
    assert 'doorbuster_payments_paused{shift="settle:1:0",why="down"} 1.0' in shown
    assert 'doorbuster_payment_operations{state="due"} 1.0' in shown
    assert 'doorbuster_payment_operations{state="failed"} 1.0' in shown
    assert 'doorbuster_oldest_seconds{partition="",sale="",shift="money"}' in shown


async def test_a_shift_that_ended_long_ago_is_not_among_them(lamp_sale: Shop) -> None:
    taken = await shifts.take(lamp_sale.db, "settle:1:0", holder="test", lease_s=60)
    assert taken is not None
    await shifts.note_payments(lamp_sale.db, "settle:1:0", taken.fence, payments_per_s=250.0)
    await lamp_sale.db.execute("update shifts set lease_expires_at = now() - interval '1 h'")
    assert await progress.limited_shifts(lamp_sale.db) == []


async def test_a_sale_that_the_process_never_heard_of_is_late_all_the_same(shop: Shop, serve: Serve) -> None:
    intake = await serve()
    await shop.stock(lamp=1)
    await shop.open_sale("lamp")
    await shop.buy("ada", lamp=1)
    await shop.drain()
    await _tell_all(shop)
    began = time.monotonic()
    await shop.db.execute("update reservations set due_at = now() - interval '1 minute'")
    seen = (await intake.http.get("/readyz")).json()["progress"]
    assert 60 <= seen["oldest_pending_payment_s"] <= 60 + time.monotonic() - began
    assert [said.rpartition(" for ")[0] for said in seen["late"]] == ["the oldest payment has been due"]


async def _tell_all(shop: Shop) -> None:
    """Leave no event nor change of the catalogue to tell: on a slow machine they are late as well."""
    await shop.relay()
    await shop.run("catalogue", catalogue_relay)
