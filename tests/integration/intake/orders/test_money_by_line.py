"""Money by line and parcel, done at a simulated provider: what is kept is what the kept units cost, in each mode."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from tests.fixtures.fulfilment import PRICE, Fulfilment
from tests.fixtures.paying import gateway_with_books
from workers.payments.gateway import PaymentRequest


async def placed(fulfilment: Fulfilment, payment: str) -> None:
    await fulfilment.shop.db.execute("update sales set payment = $1::payment_mode", payment)
    lines = [{"product_id": "lamp", "quantity": 3}, {"product_id": "rug", "quantity": 1}]
    answer = await fulfilment.intake.post("sale", lines=lines, payment={"token": "tok"})
    fulfilment.order = answer.raise_for_status().json()["order_id"]
    await fulfilment.shop.drain()


async def money(fulfilment: Fulfilment) -> dict[str, Any]:
    """Have everything done at the provider; return the order's payment as it is shown then."""
    await fulfilment.shop.money()
    payment: dict[str, Any] = (await fulfilment.view())["payment"]
    return payment


async def test_taken_at_once_and_given_back_by_line(fulfilment: Fulfilment) -> None:
    await placed(fulfilment, "capture")
    await fulfilment.shop.settle()
    assert (await money(fulfilment))["captured"] == 4 * PRICE
    await fulfilment.cancel({1: 1})
    await fulfilment.ship()
    await fulfilment.refund({2: 1}, restock=True)
    assert await money(fulfilment) == {
        "status": "partially_refunded", "captured": 4 * PRICE, "refunded": 2 * PRICE,
    }  # fmt: skip
    assert [one["status"] for one in (await fulfilment.view())["refunds"]] == ["succeeded", "succeeded"]
    (parcel,) = (await fulfilment.view())["shipments"]
    await fulfilment.parcel(parcel["shipment_id"], status="delivered")
    assert (await fulfilment.refund(amount=2 * PRICE)).json()["order"]["status"] == "refunded"
    assert (await money(fulfilment))["status"] == "refunded"


async def test_held_and_taken_parcel_by_parcel(fulfilment: Fulfilment) -> None:
    await placed(fulfilment, "authorise")
    await fulfilment.shop.settle()
    assert await money(fulfilment) == {"status": "authorised", "authorised": 4 * PRICE}
    await fulfilment.ship({1: 2})
    assert (await money(fulfilment))["captured"] == 2 * PRICE
    await fulfilment.cancel({1: 1})
    await fulfilment.ship()
    assert (await money(fulfilment))["captured"] == 3 * PRICE
    await fulfilment.refund({1: 1})
    paid = await money(fulfilment)
    assert (paid["status"], paid["captured"], paid["refunded"]) == ("partially_refunded", 3 * PRICE, PRICE)


async def test_held_and_let_go_when_nothing_is_sent(fulfilment: Fulfilment) -> None:
    await placed(fulfilment, "authorise")
    await fulfilment.shop.settle()
    await fulfilment.cancel({1: 3})
    assert (await money(fulfilment))["status"] == "authorised"
    await fulfilment.cancel()
    assert (await money(fulfilment))["status"] == "voided"


@pytest.mark.parametrize("is_taken", [True, False])
async def test_what_is_held_beyond_the_parcels_is_let_go_when_the_rest_is_cancelled(
    fulfilment: Fulfilment, is_taken: bool
) -> None:
    await placed(fulfilment, "authorise")
    await fulfilment.shop.settle()
    await fulfilment.ship({1: 2})
    if is_taken:
        await money(fulfilment)
    assert (await fulfilment.cancel()).json()["status"] == "shipped"
    kinds = [kind for kind, _ in await fulfilment.operations()]
    assert kinds == (["capture", "void"] if is_taken else ["capture"]), "the last capture lets the rest go by itself"
    paid = await money(fulfilment)
    assert (paid["status"], paid["captured"]) == ("captured", 2 * PRICE)
    gateway = gateway_with_books(fulfilment.shop)
    found = await gateway.look_up(PaymentRequest(UUID(fulfilment.order), 4 * PRICE, "EUR", "tok"))
    await gateway.close()
    assert (found.captured, found.held) == (2 * PRICE, 0)


@pytest.mark.parametrize("payment", ["capture", "authorise"])
async def test_a_line_cancelled_while_the_payment_is_asked_for_costs_nothing(
    fulfilment: Fulfilment, payment: str
) -> None:
    await placed(fulfilment, payment)
    assert (await fulfilment.cancel({1: 2})).json()["status"] == "pending"
    await fulfilment.shop.settle()
    assert (await fulfilment.view())["status"] == "confirmed"
    await money(fulfilment)
    await fulfilment.ship()
    paid = await money(fulfilment)
    assert paid["captured"] - paid.get("refunded", 0) == 2 * PRICE


async def test_a_pending_order_that_is_cancelled_keeps_no_money(fulfilment: Fulfilment) -> None:
    await placed(fulfilment, "capture")
    await fulfilment.cancel()
    await fulfilment.shop.settle()
    paid = await money(fulfilment)
    assert paid.get("captured", 0) == paid.get("refunded", 0)


async def test_nothing_is_asked_for_where_the_sale_takes_no_money(fulfilment: Fulfilment) -> None:
    await placed(fulfilment, "none")
    view = await fulfilment.view()
    assert (view["status"], view["payment"]) == ("confirmed", {"status": "none"})
    assert (await fulfilment.cancel({1: 1})).json()["refunds"] == []
    await fulfilment.ship()
    assert await fulfilment.operations() == []
