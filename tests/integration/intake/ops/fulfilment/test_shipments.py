"""Parcels: sent whole or in parts, delivered, lost and sent again; the ledger moves with each."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fixtures.fulfilment import PRICE, Fulfilment, refusal, units


async def test_a_parcel_of_all_ships_the_order_by_way_of_processing(fulfilment: Fulfilment) -> None:
    await fulfilment.place()
    answer = await fulfilment.ship(carrier="Post", tracking="T 1")
    assert answer.status_code == 201
    sent = answer.json()
    assert sent["order"] == await fulfilment.view()
    (parcel,) = sent["order"]["shipments"]
    assert {name: value for name, value in sent.items() if name != "order"} == parcel
    assert (parcel["status"], parcel["carrier"], parcel["tracking"]) == ("shipped", "Post", "T 1")
    assert parcel["lines"] == [{"line": 1, "quantity": 3}, {"line": 2, "quantity": 1}]
    assert [step["status"] for step in sent["order"]["history"]] == ["pending", "confirmed", "processing", "shipped"]
    assert units(sent["order"]) == [(0, 3, 0), (0, 1, 0)]
    assert await fulfilment.shop.ledger("lamp") == (7, 0, 3)


async def test_a_parcel_of_some_changes_no_state_until_nothing_is_left(fulfilment: Fulfilment) -> None:
    await fulfilment.place()
    first = (await fulfilment.ship({1: 2})).json()
    assert (first["order"]["status"], units(first["order"])) == ("confirmed", [(0, 2, 0), (0, 0, 0)])
    assert await fulfilment.shop.ledger("lamp") == (7, 1, 2)
    second = (await fulfilment.ship({1: 1, 2: 1})).json()
    assert (second["order"]["status"], units(second["order"])) == ("shipped", [(0, 3, 0), (0, 1, 0)])
    assert await fulfilment.kinds() == ["pending", "confirmed", "shipment", "shipment", "processing", "shipped"]
    assert len(second["order"]["shipments"]) == 2


async def test_the_order_is_delivered_with_its_last_parcel(fulfilment: Fulfilment) -> None:
    await fulfilment.place(to="processing")
    parcels = [(await fulfilment.ship(lines)).json()["shipment_id"] for lines in ({1: 2}, None)]
    one = await fulfilment.parcel(parcels[0], status="delivered")
    assert (one.status_code, one.json()["status"], one.json()["order"]["status"]) == (200, "delivered", "shipped")
    other = await fulfilment.parcel(parcels[1], status="delivered")
    assert (other.json()["status"], other.json()["order"]["status"]) == ("delivered", "delivered")
    assert (await fulfilment.kinds())[-2:] == ["shipment", "delivered"]
    again = await fulfilment.parcel(parcels[1], status="delivered")
    assert again.status_code == 200, "what is so already changes nothing"
    assert len(await fulfilment.kinds()) == 9


async def test_parcels_may_arrive_before_the_last_has_left(fulfilment: Fulfilment) -> None:
    await fulfilment.place()
    first = (await fulfilment.ship({1: 3})).json()["shipment_id"]
    assert (await fulfilment.parcel(first, status="delivered")).json()["order"]["status"] == "confirmed"
    assert (await fulfilment.cancel()).json()["status"] == "delivered"
    assert (await fulfilment.kinds())[-5:] == ["shipment", "line_cancelled", "processing", "shipped", "delivered"]


async def test_lost_units_are_sent_again_from_stock(fulfilment: Fulfilment) -> None:
    await fulfilment.place()
    lost = (await fulfilment.ship()).json()["shipment_id"]
    answer = await fulfilment.parcel(lost, status="lost", reason="fell off the truck")
    assert (answer.json()["status"], answer.json()["order"]["status"]) == ("lost", "shipped")
    assert await fulfilment.shop.ledger("lamp") == (7, 0, 3)
    some = (await fulfilment.ship({1: 2})).json()
    assert (some["order"]["status"], units(some["order"])) == ("shipped", [(0, 3, 0), (0, 1, 0)])
    assert await fulfilment.shop.ledger("lamp") == (5, 0, 5)
    rest = (await fulfilment.ship()).json()
    assert rest["lines"] == [{"line": 1, "quantity": 1}, {"line": 2, "quantity": 1}]
    assert await fulfilment.shop.ledger("lamp") == (4, 0, 6)
    assert refusal(await fulfilment.ship()) == (409, "illegal_transition")
    await fulfilment.parcel(some["shipment_id"], status="delivered")
    last = await fulfilment.parcel(rest["shipment_id"], status="delivered")
    assert last.json()["order"]["status"] == "delivered"
    assert await fulfilment.shop.db.fetchval("select sum(taken) from sale_products where product_id = 'lamp'") == 3


async def test_lost_units_cannot_be_sent_again_without_stock(fulfilment: Fulfilment) -> None:
    await fulfilment.place()
    lost = (await fulfilment.ship()).json()["shipment_id"]
    await fulfilment.parcel(lost, status="lost")
    await fulfilment.intake.ops.post("/ops/products/lamp/stock", json={"adjust": -6, "reason": "count"})
    before = await fulfilment.held()
    answer = await fulfilment.ship({1: 2})
    assert refusal(answer) == (409, "sold_out")
    assert {"line": 1, "product_id": "lamp", "left": 1}.items() <= answer.json().items()
    assert await fulfilment.held() == before
    assert (await fulfilment.ship({1: 1})).status_code == 201


async def test_a_parcel_that_was_lost_and_refunded_is_not_missing(fulfilment: Fulfilment) -> None:
    await fulfilment.place()
    kept = (await fulfilment.ship({2: 1})).json()["shipment_id"]
    lost = (await fulfilment.ship()).json()["shipment_id"]
    await fulfilment.parcel(kept, status="delivered")
    await fulfilment.parcel(lost, status="lost")
    assert (await fulfilment.view())["status"] == "shipped"
    answer = await fulfilment.refund({1: 3})
    assert (answer.json()["amount"], answer.json()["order"]["status"]) == (3 * PRICE, "delivered")
    assert (await fulfilment.kinds())[-2:] == ["refund", "delivered"]
    assert await fulfilment.shop.ledger("lamp") == (7, 0, 3), "what is lost does not come back"


async def test_a_label_is_corrected(fulfilment: Fulfilment) -> None:
    await fulfilment.place()
    parcel = (await fulfilment.ship(carrier="Post")).json()["shipment_id"]
    changed = (await fulfilment.parcel(parcel, tracking="T 2")).json()
    assert (changed["carrier"], changed["tracking"], changed["status"]) == ("Post", "T 2", "shipped")
    events = len(await fulfilment.kinds())
    await fulfilment.parcel(parcel, tracking="T 2")
    assert len(await fulfilment.kinds()) == events


async def test_money_that_is_held_is_taken_by_parcel(fulfilment: Fulfilment) -> None:
    await fulfilment.shop.db.execute("update sales set payment = 'authorise'")
    await fulfilment.place()
    await fulfilment.ship({1: 2})
    assert await fulfilment.operations() == [("capture", 2 * PRICE)]
    lost = (await fulfilment.ship()).json()["shipment_id"]
    assert await fulfilment.operations() == [("capture", 2 * PRICE), ("capture", 2 * PRICE)]
    await fulfilment.parcel(lost, status="lost")
    await fulfilment.ship()
    assert len(await fulfilment.operations()) == 2, "what is sent again was paid"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"lines": [{"line": 1, "quantity": 4}]}, 422, "invalid"),
        ({"lines": [{"line": 3, "quantity": 1}]}, 422, "invalid"),
        ({"lines": [{"line": 0, "quantity": 1}]}, 422, "invalid"),
        ({"lines": [{"line": 1, "quantity": 0}]}, 422, "invalid"),
        ({"lines": [{"line": 1, "quantity": 1}, {"line": 1, "quantity": 1}]}, 422, "invalid"),
        ({"lines": []}, 422, "invalid"),
        ({"lines": [{"line": 2, "quantity": 1}]}, 409, "illegal_transition"),
        ({"carrier": ""}, 422, "invalid"),
        ({"carrier": "x" * 101}, 422, "invalid"),
        ({"tracking": "a\nb"}, 422, "invalid"),
        ({"parcel": 1}, 422, "invalid"),
    ],
)
async def test_what_is_no_parcel_is_refused(fulfilment: Fulfilment, body: Any, status: int, code: str) -> None:
    await fulfilment.place()
    await fulfilment.ship({2: 1})
    before = await fulfilment.held()
    answer = await fulfilment.intake.ops.post(f"/ops/orders/{fulfilment.order}/shipments", json=body)
    assert refusal(answer) == (status, code)
    assert await fulfilment.held() == before


async def test_what_a_parcel_cannot_become_is_refused(fulfilment: Fulfilment) -> None:
    await fulfilment.place()
    parcel = (await fulfilment.ship()).json()["shipment_id"]
    for body in ({}, {"status": "shipped"}, {"status": "eaten"}, {"reason": "why"}):
        assert refusal(await fulfilment.parcel(parcel, **body)) == (422, "invalid")
    for unknown in ("x", "00000000-0000-4000-8000-000000000000"):
        assert refusal(await fulfilment.parcel(unknown, status="lost")) == (404, "not_found")
    await fulfilment.parcel(parcel, status="lost")
    before = await fulfilment.held()
    answer = await fulfilment.parcel(parcel, status="delivered")
    assert (refusal(answer), answer.json()["allowed"]) == ((409, "illegal_transition"), [])
    assert await fulfilment.held() == before


async def test_who_sent_it_and_why_is_noted(fulfilment: Fulfilment) -> None:
    await fulfilment.place()
    fulfilment.intake.ops.headers["X-Operator"] = "ann"
    await fulfilment.ship({1: 1}, reason="first box")
    page = (await fulfilment.intake.ops.get("/ops/audit", params={"target": f"order:{fulfilment.order}"})).json()
    noted = page["items"][0]
    assert (noted["action"], noted["operator"]) == ("ship", "ann")
    assert noted["change"] == {"lines": [{"line": 1, "quantity": 1}], "reason": "first box"}


async def test_an_unknown_order_is_404(fulfilment: Fulfilment) -> None:
    fulfilment.order = "00000000-0000-8000-8000-000000000000"
    for answer in (await fulfilment.ship(), await fulfilment.refund(amount=1), await fulfilment.parcel("0" * 36)):
        assert answer.status_code == 404
