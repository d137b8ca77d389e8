"""Cancelling what has not left, all or by line: units, allotment, limit and money go back by line."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from tests.fixtures.fulfilment import PRICE, Fulfilment, refusal, units


async def test_a_line_of_an_order_is_cancelled(fulfilment: Fulfilment) -> None:
    await fulfilment.place()
    answer = await fulfilment.cancel({1: 2})
    assert (answer.status_code, answer.json()["status"], units(answer.json())) == (
        200, "confirmed", [(2, 0, 2), (0, 0, 0)],
    )  # fmt: skip
    (refund,) = answer.json()["refunds"]
    assert (refund["amount"], refund["reason"]) == (2 * PRICE, "cancelled_by_customer")
    assert await fulfilment.operations() == [("refund", 2 * PRICE)]
    assert (await fulfilment.kinds())[-1] == "line_cancelled"
    assert await fulfilment.shop.ledger("lamp") == (9, 1, 0)
    assert await fulfilment.shop.db.fetchval("select taken from sale_products where product_id = 'lamp'") == 1
    assert await fulfilment.shop.db.fetchval("select quantity from purchases where product_id = 'lamp'") == 1


@pytest.mark.parametrize("lines", [None, {1: 3, 2: 1}])
async def test_an_order_with_nothing_left_is_cancelled(fulfilment: Fulfilment, lines: dict[int, int] | None) -> None:
    await fulfilment.place(to="processing")
    await fulfilment.cancel({1: 1})
    answer = await fulfilment.cancel(lines if lines is None else {1: 2, 2: 1})
    assert (answer.json()["status"], answer.json()["reason"]) == ("cancelled", "cancelled_by_customer")
    assert [one["amount"] for one in answer.json()["refunds"]] == [PRICE, 3 * PRICE]
    assert units(answer.json()) == [(3, 0, 3), (1, 0, 1)]
    assert await fulfilment.shop.ledger("lamp") == (10, 0, 0)


async def test_the_rest_is_cancelled_when_a_parcel_has_left(fulfilment: Fulfilment) -> None:
    await fulfilment.place()
    await fulfilment.ship({1: 2})
    answer = await fulfilment.cancel()
    assert (answer.json()["status"], units(answer.json())) == ("shipped", [(1, 2, 1), (1, 0, 1)])
    assert (await fulfilment.kinds())[-3:] == ["line_cancelled", "processing", "shipped"]
    assert await fulfilment.operations() == [("refund", 2 * PRICE)]
    assert await fulfilment.shop.ledger("lamp") == (8, 0, 2)


async def test_money_that_is_only_held_is_let_go_with_the_last_unit(fulfilment: Fulfilment) -> None:
    await fulfilment.shop.db.execute("update sales set payment = 'authorise'")
    await fulfilment.place()
    assert (await fulfilment.cancel({1: 3})).json()["refunds"] == []
    assert await fulfilment.operations() == []
    assert (await fulfilment.cancel()).json()["status"] == "cancelled"
    assert await fulfilment.operations() == [("void", None)]


async def test_no_money_is_let_go_that_was_never_asked_for(fulfilment: Fulfilment) -> None:
    await fulfilment.shop.db.execute("update sales set payment = 'none'")
    await fulfilment.place()
    assert (await fulfilment.cancel()).json()["status"] == "cancelled"
    assert await fulfilment.operations() == []


async def test_a_pending_order_is_cancelled_and_its_payment_let_go_once_it_can_be_no_more_under_way(
    fulfilment: Fulfilment,
) -> None:
    await fulfilment.place(to="pending")
    assert (await fulfilment.cancel()).json()["status"] == "cancelled"
    assert await fulfilment.operations() == [("void", None)]
    waits = await fulfilment.shop.db.fetchval("select due_at - created_at > '1 second' from payment_operations")
    assert waits
    assert await fulfilment.shop.db.fetchval("select count(*) from reservations") == 0


async def test_a_line_of_a_pending_order_is_cancelled_and_its_hold_remembers(fulfilment: Fulfilment) -> None:
    await fulfilment.place(to="pending")
    answer = await fulfilment.cancel({1: 2})
    assert (answer.json()["status"], units(answer.json())) == ("pending", [(2, 0, 0), (0, 0, 0)])
    assert answer.json()["refunds"] == []
    assert await fulfilment.shop.db.fetchval("select lines_cancelled from reservations")
    assert await fulfilment.shop.ledger("lamp") == (9, 1, 0)
    assert (await fulfilment.cancel()).json()["status"] == "cancelled"
    assert await fulfilment.shop.ledger("lamp") == (10, 0, 0)


async def test_what_was_cancelled_is_not_given_back_twice_when_the_payment_is_declined(fulfilment: Fulfilment) -> None:
    order = (
        await fulfilment.intake.post(
            "sale", lines=[{"product_id": "lamp", "quantity": 3}], payment={"token": "decline"}
        )
    ).json()["order_id"]
    fulfilment.order = order
    await fulfilment.shop.drain()
    await fulfilment.cancel({1: 2})
    await fulfilment.shop.settle()
    assert (await fulfilment.view())["status"] == "cancelled"
    assert await fulfilment.shop.ledger("lamp") == (10, 0, 0)


@pytest.mark.parametrize("to", ["shipped", "delivered", "cancelled", "refunded"])
async def test_what_has_left_cannot_be_cancelled(fulfilment: Fulfilment, to: str) -> None:
    await fulfilment.place(to=to)
    before = await fulfilment.held()
    for answer in (await fulfilment.cancel(), await fulfilment.cancel({1: 1})):
        assert refusal(answer) == (409, "illegal_transition")
        assert answer.json()["allowed"] == {"shipped": ["delivered"], "delivered": ["refunded"]}.get(to, [])
    assert await fulfilment.held() == before


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"lines": [{"line": 1, "quantity": 2}]}, 409, "illegal_transition"),
        ({"lines": [{"line": 1, "quantity": 4}]}, 422, "invalid"),
        ({"lines": [{"line": 3, "quantity": 1}]}, 422, "invalid"),
        ({"lines": [{"line": 2, "quantity": 1}, {"line": 2, "quantity": 1}]}, 422, "invalid"),
        ({"lines": []}, 422, "invalid"),
        ({"reason": "x"}, 422, "invalid"),
        ([], 422, "invalid"),
    ],
)
async def test_what_cannot_be_cancelled_is_refused(fulfilment: Fulfilment, body: Any, status: int, code: str) -> None:
    await fulfilment.place()
    await fulfilment.ship({1: 2})
    before = await fulfilment.held()
    answer = await fulfilment.intake.http.post(f"/orders/{fulfilment.order}/cancel", json=body)
    assert refusal(answer) == (status, code)
    if status == 409:
        assert answer.json()["allowed"] == ["cancelled", "processing"]
    assert await fulfilment.held() == before


async def test_a_body_that_is_no_json_is_refused(fulfilment: Fulfilment) -> None:
    await fulfilment.place()
    path = f"/orders/{fulfilment.order}/cancel"
    headers = {"Content-Type": "text/plain"}
    assert refusal(await fulfilment.intake.http.post(path, content=b"{}", headers=headers)) == (
        415, "unsupported_media_type",
    )  # fmt: skip
    assert refusal(await fulfilment.intake.http.post(path, content=b"{")) == (400, "malformed")
    assert (await fulfilment.intake.http.post(path, headers=headers)).status_code == 200


async def test_the_order_shows_as_it_stood_at_each_event(fulfilment: Fulfilment) -> None:
    from db.orders.orders import read_order
    from db.orders.view import show

    await fulfilment.place()
    await fulfilment.cancel({1: 1})
    await fulfilment.ship({1: 1})
    await fulfilment.refund({1: 1})
    order = await read_order(fulfilment.shop.db, UUID(fulfilment.order))
    assert order is not None
    seen = [
        [(line.cancelled, line.shipped, line.refunded) for line in show(order, seq).lines]
        for seq in range(1, order.version + 1)
    ]
    assert seen == [
        [(0, 0, 0), (0, 0, 0)], [(0, 0, 0), (0, 0, 0)], [(1, 0, 1), (0, 0, 0)], [(1, 1, 1), (0, 0, 0)],
        [(2, 1, 2), (0, 0, 0)],
    ]  # fmt: skip
