"""Refunds: by line or amount, restocked or not, once by key, never more than was taken."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from tests.fixtures.fulfilment import PRICE, Fulfilment, refusal, units


async def test_units_that_are_still_here_are_taken_off(fulfilment: Fulfilment) -> None:
    await fulfilment.place()
    answer = await fulfilment.refund({1: 2})
    assert answer.status_code == 201
    made = answer.json()
    (refund,) = made["order"]["refunds"]
    assert {name: value for name, value in made.items() if name != "order"} == refund
    assert (refund["amount"], refund["reason"], refund["status"]) == (2 * PRICE, "broken", "pending")
    assert refund["lines"] == [{"line": 1, "quantity": 2, "restock": False}]
    assert (made["order"]["status"], units(made["order"])) == ("confirmed", [(2, 0, 2), (0, 0, 0)])
    assert await fulfilment.shop.ledger("lamp") == (9, 1, 0)
    assert await fulfilment.operations() == [("refund", 2 * PRICE)]
    assert (await fulfilment.kinds())[-1] == "refund"
    assert await fulfilment.shop.db.fetchval("select taken from sale_products where product_id = 'lamp'") == 1
    assert await fulfilment.shop.db.fetchval("select quantity from purchases where product_id = 'lamp'") == 1


@pytest.mark.parametrize(("restock", "ledger"), [(False, (7, 0, 3)), (True, (8, 0, 2))])
async def test_units_that_left_come_back_or_not(
    fulfilment: Fulfilment, restock: bool, ledger: tuple[int, int, int]
) -> None:
    await fulfilment.place(to="delivered")
    made = (await fulfilment.refund({1: 1}, restock=restock)).json()
    assert (made["order"]["status"], units(made["order"])) == ("delivered", [(0, 3, 1), (0, 1, 0)])
    assert await fulfilment.shop.ledger("lamp") == ledger


async def test_what_is_here_goes_before_what_has_left(fulfilment: Fulfilment) -> None:
    await fulfilment.place()
    await fulfilment.ship({1: 2})
    made = (await fulfilment.refund({1: 2}, restock=True)).json()
    assert units(made["order"])[0] == (1, 2, 2)
    assert await fulfilment.shop.ledger("lamp") == (9, 0, 1)


async def test_an_order_that_loses_everything_before_it_left_is_cancelled(fulfilment: Fulfilment) -> None:
    await fulfilment.place()
    made = (await fulfilment.refund({1: 3, 2: 1})).json()
    assert (made["order"]["status"], made["order"]["reason"]) == ("cancelled", "broken")
    assert (await fulfilment.kinds())[-1] == "cancelled"
    assert await fulfilment.operations() == [("refund", 4 * PRICE)]


async def test_a_delivered_order_is_refunded_when_all_its_money_is_back(fulfilment: Fulfilment) -> None:
    await fulfilment.place(to="delivered")
    assert (await fulfilment.refund({1: 3})).json()["order"]["status"] == "delivered"
    assert (await fulfilment.refund(amount=PRICE)).json()["order"]["status"] == "refunded"
    assert (await fulfilment.kinds())[-2:] == ["refund", "refunded"]
    assert refusal(await fulfilment.refund(amount=1)) == (422, "refund_too_large")


async def test_money_that_is_back_before_it_arrives_refunds_it_then(fulfilment: Fulfilment) -> None:
    await fulfilment.place(to="shipped")
    assert (await fulfilment.refund({1: 3, 2: 1})).json()["order"]["status"] == "shipped"
    assert (await fulfilment.transition("delivered")).json()["status"] == "refunded"
    assert (await fulfilment.kinds())[-3:] == ["refund", "delivered", "refunded"]


async def test_an_amount_is_for_no_line(fulfilment: Fulfilment) -> None:
    await fulfilment.place(to="delivered")
    made = (await fulfilment.refund(amount=30)).json()
    assert "lines" not in made
    assert (made["amount"], units(made["order"])) == (30, [(0, 3, 0), (0, 1, 0)])


async def test_an_amount_may_be_for_lines(fulfilment: Fulfilment) -> None:
    await fulfilment.place(to="delivered")
    made = (await fulfilment.refund({1: 1}, amount=30)).json()
    assert (made["amount"], units(made["order"])) == (30, [(0, 3, 1), (0, 1, 0)])
    assert made["lines"] == [{"line": 1, "quantity": 1, "restock": False}]


async def test_never_more_than_was_taken(fulfilment: Fulfilment) -> None:
    await fulfilment.place(to="delivered")
    await fulfilment.refund(amount=3 * PRICE)
    before = await fulfilment.held()
    for answer in (await fulfilment.refund(amount=PRICE + 1), await fulfilment.refund({1: 2})):
        assert (refusal(answer), answer.json()["refundable"]) == ((422, "refund_too_large"), PRICE)
    assert await fulfilment.held() == before
    assert (await fulfilment.refund(amount=PRICE)).status_code == 201


async def test_a_refund_that_the_provider_refused_may_be_tried_anew(fulfilment: Fulfilment) -> None:
    await fulfilment.place()
    await fulfilment.refund(amount=4 * PRICE)
    assert refusal(await fulfilment.refund(amount=1)) == (422, "refund_too_large")
    await fulfilment.shop.db.execute("update refunds set status = 'failed'")
    assert (await fulfilment.view())["refunds"][0]["status"] == "failed"
    assert (await fulfilment.refund(amount=4 * PRICE)).status_code == 201


async def test_the_same_key_refunds_once(fulfilment: Fulfilment) -> None:
    await fulfilment.place(to="delivered")
    first = await fulfilment.refund({1: 1}, key="r-1")
    before = await fulfilment.held()
    again = await fulfilment.refund({1: 1}, key="r-1")
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["Idempotent-Replayed"] == again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    for other in (await fulfilment.refund({1: 2}, key="r-1"), await fulfilment.refund(amount=PRICE, key="r-1")):
        assert refusal(other) == (422, "idempotency_conflict")
    assert await fulfilment.held() == before
    assert await fulfilment.operations() == [("refund", PRICE)]
    page = (await fulfilment.intake.ops.get("/ops/audit", params={"target": f"order:{fulfilment.order}"})).json()
    assert [one["action"] for one in page["items"]].count("refund") == 1


async def test_a_key_is_required(fulfilment: Fulfilment) -> None:
    await fulfilment.place(to="delivered")
    path = f"/ops/orders/{fulfilment.order}/refunds"
    without = await fulfilment.intake.ops.post(path, json={"amount": 1, "reason": "x"})
    assert refusal(without) == (400, "idempotency_key_required")
    wrong = await fulfilment.intake.ops.post(
        path, json={"amount": 1, "reason": "x"}, headers={"Idempotency-Key": "x" * 256}
    )
    assert refusal(wrong) == (400, "malformed")


async def test_where_money_is_taken_by_parcel_only_what_left_is_refunded(fulfilment: Fulfilment) -> None:
    await fulfilment.shop.db.execute("update sales set payment = 'authorise'")
    await fulfilment.place()
    assert refusal(await fulfilment.refund({1: 1})) == (422, "refund_too_large")
    await fulfilment.ship({1: 2})
    await fulfilment.shop.db.execute(
        "update orders set payment = 'captured', captured = $2 where order_id = $1", UUID(fulfilment.order), 2 * PRICE
    )
    made = (await fulfilment.refund({1: 2})).json()
    assert (made["amount"], units(made["order"])[0]) == (2 * PRICE, (0, 2, 2))


@pytest.mark.parametrize(
    "body",
    [
        {}, {"reason": "x"}, {"amount": 5}, {"amount": 0, "reason": "x"}, {"amount": -1, "reason": "x"},
        {"amount": 2**53, "reason": "x"}, {"amount": 1.5, "reason": "x"}, {"lines": [], "reason": "x"},
        {"lines": [{"line": 9, "quantity": 1}], "reason": "x"}, {"lines": [{"line": 1, "quantity": 4}], "reason": "x"},
        {"lines": [{"line": 1, "quantity": 1}] * 2, "reason": "x"}, {"amount": 1, "reason": ""},
        {"amount": 1, "reason": "x", "restock": True},
    ],
)  # fmt: skip
async def test_what_is_no_refund_is_refused(fulfilment: Fulfilment, body: Any) -> None:
    await fulfilment.place(to="delivered")
    before = await fulfilment.held()
    answer = await fulfilment.intake.ops.post(
        f"/ops/orders/{fulfilment.order}/refunds", json=body, headers={"Idempotency-Key": "k"}
    )
    assert refusal(answer) == (422, "invalid")
    assert await fulfilment.held() == before


async def test_the_transition_gives_back_all_that_was_taken(fulfilment: Fulfilment) -> None:
    await fulfilment.place(to="delivered")
    await fulfilment.refund({1: 1}, amount=40)
    answer = await fulfilment.transition("refunded", restock=True)
    assert (answer.json()["status"], units(answer.json())) == ("refunded", [(0, 3, 3), (0, 1, 1)])
    assert [one["amount"] for one in answer.json()["refunds"]] == [40, 4 * PRICE - 40]
    assert await fulfilment.shop.ledger("lamp") == (9, 0, 1), "what was refunded before is not restocked now"
