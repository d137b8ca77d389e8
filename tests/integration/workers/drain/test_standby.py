"""The standby: sold out at their turn orders wait, and are served in the order of acceptance when units come back."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest

from db import sales
from db.audit import questions as audit
from db.orders import standby, transitions
from db.orders.states import Status
from db.products import stock
from db.sales import SaleProduct
from doorbuster.values.timeline import PlanEntry
from tests.fixtures.intake import Intake
from tests.fixtures.shop import Shop
from tests.fixtures.waiting import eventually


async def test_sold_out_it_waits_and_holds_nothing(shop: Shop) -> None:
    await shop.stock(lamp=1)
    await shop.open_sale("lamp")
    ids = await shop.buy("ada", lamp=1) + await shop.stand_by("bob", lamp=1) + await shop.buy("cyd", lamp=1)
    await shop.drain()
    assert await shop.statuses(ids) == ["pending", "pending:standby", "cancelled:sold_out"]
    assert await shop.db.fetchval("select count(*) from reservations") == 1
    assert await shop.ledger("lamp") == (0, 1, 0)


async def test_who_cancels_serves_the_first_that_fit_in_the_same_transaction(shop: Shop) -> None:
    await shop.stock(lamp=2)
    await shop.open_sale("lamp", partitions=2)
    held = await shop.buy("ada", lamp=2)
    waiting = await shop.stand_by("bob", lamp=3) + await shop.stand_by("cyd", "dan", "eve", lamp=1)
    await shop.drain()
    served: list[UUID] = []
    async with shop.db.transaction():
        await transitions.cancel_many(shop.db, held, reason="test", served=served)
    assert served == waiting[1:3]
    assert await shop.statuses(waiting) == ["pending:standby", "pending", "pending", "pending:standby"]
    assert await shop.ledger("lamp") == (0, 2, 0)
    await shop.settle()
    assert await shop.statuses(waiting[1:3]) == ["confirmed", "confirmed"]
    assert await shop.standby() == "done"


@pytest.mark.parametrize("how", ["by hand", "received", "adjusted", "allotted", "declined"])
async def test_whoever_brings_units_serves(shop: Shop, how: str) -> None:
    await shop.stock(lamp=5)
    await shop.open_sale(SaleProduct(product_id="lamp", quantity=1 if how == "allotted" else 5))
    token = "decline" if how == "declined" else None
    held = await shop.buy("ada", lamp=1 if how == "allotted" else 5, token=token)
    (waiting,) = await shop.stand_by("bob", lamp=1)
    await shop.drain()
    assert await shop.statuses([waiting]) == ["pending:standby"]
    served: list[UUID] = []
    match how:
        case "by hand":
            served += (await transitions.transition(shop.db, held[0], Status.CANCELLED)).served
        case "received":
            assert (await stock.receive(shop.db, "lamp", 1, served=served)).stock == 1
            assert served == []  # the allotment is used up
            await sales.update_sale(shop.db, "sale-1", {"products": [SaleProduct(product_id="lamp")]}, served=served)
        case "adjusted":
            await sales.update_sale(shop.db, "sale-1", {"products": [SaleProduct(product_id="lamp")]}, served=served)
            assert (await stock.adjust(shop.db, "lamp", 2, "found", served=served)).stock == 1
        case "allotted":
            products = [SaleProduct(product_id="lamp", quantity=2)]
            await sales.update_sale(shop.db, "sale-1", {"products": products}, served=served)
        case _:
            await shop.settle()
            served = [waiting]
    assert served == [waiting]
    assert await shop.statuses([waiting]) == ["confirmed" if how == "declined" else "pending"]


async def test_where_no_money_is_taken_it_is_confirmed_when_it_is_served(shop: Shop) -> None:
    await shop.stock(lamp=1)
    await shop.open_sale("lamp", payment="none")
    ids = await shop.buy("ada", lamp=1) + await shop.stand_by("bob", lamp=1)
    await shop.drain()
    moved = await transitions.transition(shop.db, ids[0], Status.CANCELLED)
    assert list(moved.served) == ids[1:]
    assert await shop.statuses(ids) == ["cancelled", "confirmed"]
    events = await shop.db.fetch("select seq, status::text, reason from order_events where order_id = $1", ids[1])
    assert [tuple(row) for row in events] == [(1, "pending", "standby"), (2, "confirmed", None)]


async def test_it_is_told_once_that_it_is_served_and_the_audit_finds_twice(shop: Shop) -> None:
    await shop.stock(lamp=1)
    await shop.open_sale("lamp")
    ids = await shop.buy("ada", lamp=1) + await shop.stand_by("bob", lamp=1)
    await shop.drain()
    await transitions.transition(shop.db, ids[0], Status.CANCELLED)
    events = await shop.db.fetch("select seq, status::text, reason, kind from order_events where order_id = $1", ids[1])
    assert [tuple(row) for row in events] == [(1, "pending", "standby", None), (2, "pending", None, "served")]
    assert await _breaches(shop) == []
    await shop.db.execute("update orders set version = 3 where order_id = $1", ids[1])
    await shop.db.execute(
        "insert into order_events (order_id, seq, status, at, kind) values ($1, 3, 'pending', now(), 'served')", ids[1]
    )
    assert await _breaches(shop) == ["orders whose history is not their state's"]
    await shop.db.execute("update orders set version = 2 where order_id = $1", ids[1])
    await shop.db.execute("delete from order_events where seq = 3")  # the audit looks at every shop


async def _breaches(shop: Shop) -> list[str]:
    findings = await audit.audit(shop.db)
    return [one.what for one in findings.figures if one.promise == "P5" and one.breaches]


async def test_an_order_of_two_products_waits_for_both(shop: Shop) -> None:
    await shop.stock(lamp=1, rug=1)
    await shop.open_sale("lamp", "rug")
    first, second = await shop.buy("ada", lamp=1) + await shop.buy("bob", rug=1)
    (both,) = await shop.stand_by("cyd", lamp=1, rug=1)
    await shop.drain()
    await transitions.transition(shop.db, first, Status.CANCELLED)
    assert await shop.statuses([both]) == ["pending:standby"]
    assert await shop.ledger("lamp") == (1, 0, 0)
    await transitions.transition(shop.db, second, Status.CANCELLED)
    assert await shop.statuses([both]) == ["pending"]
    assert (await shop.ledger("lamp"), await shop.ledger("rug")) == ((0, 1, 0), (0, 1, 0))


async def test_no_more_wait_than_may(shop: Shop) -> None:
    await shop.stock(lamp=0)
    await shop.open_sale("lamp", standby_max=3)
    ids = await shop.stand_by("a", "b", lamp=1)
    await shop.drain()
    ids += await shop.stand_by("c", "d", lamp=1)
    await shop.drain(drain_batch_max=1)
    assert await shop.statuses(ids) == ["pending:standby"] * 3 + ["cancelled:sold_out"]
    await transitions.transition(shop.db, ids[0], Status.CANCELLED, reason="cancelled_by_customer")
    ids += await shop.stand_by("e", lamp=1)
    await shop.drain()
    assert await shop.statuses(ids[-1:]) == ["pending:standby"]


async def test_who_is_over_a_limit_by_then_is_cancelled_and_the_next_is_served(shop: Shop) -> None:
    await shop.stock(lamp=1)
    await shop.open_sale(SaleProduct(product_id="lamp", limit_per_customer=1))
    (held,) = await shop.buy("ada", lamp=1)
    twice = await shop.stand_by("bob", lamp=1, key="1") + await shop.stand_by("bob", lamp=1, key="2")
    (last,) = await shop.stand_by("cyd", lamp=1)
    await shop.drain()
    served: list[UUID] = []
    await stock.receive(shop.db, "lamp", 1, served=served)
    assert served == twice[:1]
    served.clear()
    async with shop.db.transaction():
        await transitions.cancel_many(shop.db, [held], reason="test", served=served)
    assert set(served) == {twice[1], last}
    assert await shop.statuses([*twice, last]) == ["pending", "cancelled:limit_exceeded", "pending"]
    refusal = await shop.db.fetchval("select refusal from orders where order_id = $1", twice[1])
    assert refusal == {"line": 1, "product_id": "lamp", "by": "customer", "limit": 1, "had": 1}


@pytest.mark.parametrize("how", ["closed", "ended", "planned"])
async def test_when_the_sale_is_over_the_waiting_is(shop: Shop, how: str) -> None:
    await shop.stock(lamp=0)
    await shop.open_sale("lamp")
    ids = await shop.stand_by("ada", "bob", lamp=1)
    await shop.drain()
    assert not await standby.any_ended(shop.db)
    if how == "closed":
        await sales.set_phase(shop.db, "sale-1", "closed")
    elif how == "planned":
        closed = PlanEntry(at=datetime.now(UTC) - timedelta(seconds=1), phase="closed")
        await sales.update_sale(shop.db, "sale-1", {"timeline": [closed]})
    else:
        began = datetime.now(UTC) - timedelta(hours=1)
        await sales.update_sale(shop.db, "sale-1", {"starts_at": began, "ends_at": began + timedelta(minutes=1)})
    assert await standby.any_ended(shop.db)
    await shop.standby()
    assert await shop.statuses(ids) == ["cancelled:standby_ended"] * 2
    assert not await standby.any_ended(shop.db)
    assert await shop.db.fetchval("select count(*) from standby") == 0


async def test_what_slipped_through_is_served_by_the_shift(shop: Shop) -> None:
    await shop.stock(lamp=0, rug=0)
    await shop.open_sale("lamp", "rug")
    waiting = await shop.stand_by("ada", lamp=1) + await shop.stand_by("bob", lamp=1, rug=1)
    await shop.drain()
    await shop.db.execute("update stock set stock = 1, received = 1 where product_id = 'lamp'")
    await shop.db.execute("insert into stock_movements (product_id, quantity, reason) values ('lamp', 1, 'x')")
    assert await standby.servable(shop.db, limit=5) == ["lamp"]
    await shop.standby()
    assert await shop.statuses(waiting) == ["pending", "pending:standby"]
    assert await standby.servable(shop.db, limit=5) == []


async def test_a_price_that_is_another_is_told_although_it_would_wait(shop: Shop) -> None:
    await shop.stock(lamp=0)
    await shop.open_sale("lamp")
    entry = msgspec.structs.replace(shop.entry("ada", lamp=1), standby=True, expected_total=1)
    ids = await shop.accept(entry)
    await shop.drain()
    assert await shop.statuses(ids) == ["cancelled:sold_out"]


async def test_over_http_it_is_accepted_although_sold_out_and_told_when_served(intake: Intake, shop: Shop) -> None:
    await intake.make_product(units=1)
    shop.sale_number = (await intake.open_sale(payment="none"))["sale_number"]
    first = (await intake.post("sale")).json()["order_id"]
    await shop.drain()
    await intake.post("sale", customer_id="late")
    await shop.drain()

    async def is_refused() -> bool:
        return (await intake.post("sale", customer_id="later")).status_code == 409

    await eventually(is_refused, what="the product to be sold out")
    for headers in ({}, {"Content-Type": "application/json; charset=utf-8"}):
        taken = await intake.post("sale", customer_id=f"w{len(headers)}", standby=True, headers=headers)
        assert taken.status_code == 202, taken.text
    waiting = asyncio.create_task(intake.post("sale", customer_id="w2", standby=True, headers={"Prefer": "wait=10"}))
    await shop.drain_until(waiting)
    answer = await waiting
    assert (answer.status_code, answer.json()["status"], answer.json()["reason"]) == (201, "pending", "standby")
    assert "reservation_expires_at" not in answer.json()
    cancelled = await intake.http.post(f"/orders/{first}/cancel")
    assert cancelled.status_code == 200
    statuses = [row[0] for row in await shop.db.fetch("select status::text from orders order by accepted_at")]
    assert statuses.count("confirmed") == 1
    assert (await intake.post("sale", customer_id="after")).status_code == 409, "units that are taken reopen nothing"
    last = answer.json()["order_id"]
    gone = await intake.http.post(f"/orders/{last}/cancel")
    assert (gone.status_code, gone.json()["status"], gone.json()["reason"]) == (
        200, "cancelled", "cancelled_by_customer",
    )  # fmt: skip


async def test_a_product_that_somebody_waits_for_stays_in_the_sale(intake: Intake, shop: Shop) -> None:
    shop.sale_number = (await intake.open_sale("sale", "hot", "cold"))["sale_number"]
    assert (await intake.post("sale", standby=True)).status_code == 202
    await shop.drain()
    refused = await intake.ops.patch("/ops/sales/sale", json={"products": [{"product_id": "cold"}]})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid")


async def test_long_lists_are_gone_through_in_pages_and_in_order(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standby, "PAGE", 4)
    monkeypatch.setattr(standby, "LEAST", 2)
    await shop.stock(lamp=0, rug=0)
    await shop.open_sale("lamp", "rug")
    waiting = []
    for n in range(12):
        lines = [{"lamp": 1}, {"rug": 1}, {"lamp": 1, "rug": 1}][n % 3]
        waiting += await shop.stand_by(f"c{n}", **lines)
    await shop.drain()
    await shop.db.execute("update stock set stock = 20, received = 20")
    await shop.db.execute(
        "insert into stock_movements (product_id, quantity, reason) select product_id, 20, 'x' from stock"
    )
    await shop.standby()
    assert await shop.statuses(waiting) == ["pending"] * 12
    served = await shop.db.fetch("select order_id from standby group by 1 order by min(served)")
    assert [row["order_id"] for row in served] == waiting
