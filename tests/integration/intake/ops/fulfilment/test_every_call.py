"""Every call in every state: taken where the table says so, else 409 with what is allowed, and nothing has changed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import httpx
import pytest

from db.orders.states import ALLOWED, FINAL, TAKES, OrderCall, Status
from tests.fixtures.fulfilment import PRICE, Fulfilment

Doing = Callable[[Fulfilment], Awaitable[httpx.Response]]

CALLS: list[tuple[OrderCall, Doing]] = [
    (OrderCall.CANCEL, lambda shop: shop.cancel()),
    (OrderCall.CANCEL, lambda shop: shop.cancel({1: 1})),
    (OrderCall.SHIP, lambda shop: shop.ship()),
    (OrderCall.SHIP, lambda shop: shop.ship({1: 1})),
    (OrderCall.REFUND, lambda shop: shop.refund({1: 1})),
    (OrderCall.REFUND, lambda shop: shop.refund(amount=PRICE)),
]
OPEN_ONLY = {OrderCall.SHIP: Status.SHIPPED}
"""What an order takes in a state only if something was lost on the way."""


async def assert_refused(
    fulfilment: Fulfilment, status: Status, call: OrderCall | Status, answer: httpx.Response
) -> None:
    if call is OrderCall.REFUND and status in FINAL:
        assert (answer.status_code, answer.json()["code"]) == (422, "refund_too_large"), call
    else:
        assert (answer.status_code, answer.json()["code"]) == (409, "illegal_transition"), call
        assert answer.json()["allowed"] == sorted(ALLOWED[status]), call


@pytest.mark.parametrize("status", list(Status))
async def test_by_line(fulfilment: Fulfilment, status: Status) -> None:
    for call, do in CALLS:
        await fulfilment.place(1, 1, to=status)
        before = await fulfilment.held()
        answer = await do(fulfilment)
        if status in TAKES[call] and OPEN_ONLY.get(call) is not status:
            assert answer.status_code in (200, 201), (call, answer.text)
            assert await fulfilment.held() != before
        else:
            await assert_refused(fulfilment, status, call, answer)
            assert await fulfilment.held() == before, call


@pytest.mark.parametrize("status", list(Status))
async def test_by_transition(fulfilment: Fulfilment, status: Status) -> None:
    for to in set(Status) - {Status.PENDING}:
        await fulfilment.place(1, 1, to=status)
        before = await fulfilment.held()
        answer = await fulfilment.transition(to)
        if to in ALLOWED[status]:
            assert (answer.status_code, answer.json()["status"]) == (200, to)
        else:
            await assert_refused(fulfilment, status, to, answer)
            assert await fulfilment.held() == before, to


@pytest.mark.parametrize("status", sorted(TAKES[OrderCall.PARCEL]))
@pytest.mark.parametrize("becomes", ["delivered", "lost"])
async def test_a_parcel(fulfilment: Fulfilment, status: Status, becomes: str) -> None:
    await fulfilment.place(2, 1, to="confirmed" if status == "confirmed" else "processing")
    parcel = (await fulfilment.ship(None if status == "shipped" else {1: 1})).json()["shipment_id"]
    assert (await fulfilment.view())["status"] == status
    assert (await fulfilment.parcel(parcel, status=becomes)).json()["status"] == becomes


@pytest.mark.parametrize("status", [Status.DELIVERED, Status.REFUNDED])
async def test_a_parcel_of_an_order_that_arrived_is_there(fulfilment: Fulfilment, status: Status) -> None:
    await fulfilment.place(1, 1, to=status)
    (parcel,) = (await fulfilment.view())["shipments"]
    assert parcel["status"] == "delivered"
    before = await fulfilment.held()
    assert (await fulfilment.parcel(parcel["shipment_id"], status="lost")).status_code == 409
    assert await fulfilment.held() == before


async def test_an_order_that_waits_for_units_can_only_be_cancelled(fulfilment: Fulfilment) -> None:
    await fulfilment.shop.db.execute("update stock set stock = 0, received = 0 where product_id = 'rug'")
    await fulfilment.shop.db.execute("delete from stock_movements where product_id = 'rug'")
    lines = [{"product_id": "lamp", "quantity": 3}, {"product_id": "rug", "quantity": 2}]
    answer = await fulfilment.intake.post("sale", lines=lines, standby=True)
    fulfilment.order = answer.raise_for_status().json()["order_id"]
    await fulfilment.shop.drain()
    assert (await fulfilment.view())["reason"] == "standby"
    for call, do in CALLS:
        if call is not OrderCall.CANCEL:
            answer = await do(fulfilment)
            assert (answer.status_code, answer.json()["allowed"]) == (409, ["cancelled"]), call
    refused = await fulfilment.transition("confirmed")
    assert (refused.status_code, refused.json()["allowed"]) == (409, ["cancelled"])
    assert (await fulfilment.cancel({2: 1})).json()["status"] == "pending"
    assert await fulfilment.shop.ledger("lamp") == (10, 0, 0)
    await fulfilment.intake.ops.post("/ops/products/rug/stock", json={"receive": 1})
    assert "reason" not in await fulfilment.view(), "what it wants less of is there by now"
    assert await fulfilment.shop.ledger("rug") == (0, 1, 0)
    assert (await fulfilment.cancel()).json()["status"] == "cancelled"
    assert await fulfilment.shop.ledger("lamp") == (10, 0, 0)
