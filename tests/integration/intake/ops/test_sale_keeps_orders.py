"""What would leave an accepted order without an answer is refused while a sale has the product, or orders wait."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.fixtures.intake import Intake
from tests.fixtures.shop import Shop

A, B = {"product_id": "a"}, {"product_id": "b"}


@pytest.fixture
async def sale(intake: Intake, shop: Shop) -> dict[str, Any]:
    """A sale of a and b."""
    made = await intake.open_sale("sale", "a", "b")
    shop.sale_number = made["sale_number"]
    return made


async def list_products(intake: Intake, *products: dict[str, Any]) -> httpx.Response:
    return await intake.ops.patch("/ops/sales/sale", json={"products": list(products)})


def product(currency: str, **more: Any) -> dict[str, Any]:
    return {"name": "b", "brand": "Acme", "category": "things", "price": 100, "currency": currency} | more


async def test_a_product_stays_while_accepted_orders_wait_for_it(
    intake: Intake, sale: dict[str, Any], shop: Shop
) -> None:
    order = (await intake.post("sale", lines=[{"product_id": "b", "quantity": 1}])).json()["order_id"]
    refused = await list_products(intake, A)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid")
    assert "b" in refused.json()["errors"][0]["problem"]
    assert (await list_products(intake, B)).status_code == 200  # nobody waits for a
    assert (await list_products(intake, A, B)).status_code == 200
    await shop.drain()
    assert (await intake.http.get(f"/orders/{order}")).json()["reason"] == "sold_out"
    assert (await list_products(intake, A)).status_code == 200


async def test_the_currency_stays_while_a_sale_has_the_product(intake: Intake, sale: dict[str, Any]) -> None:
    refused = await intake.ops.put("/ops/products/b", json=product("JPY"))
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert "sale" in refused.json()["detail"]
    assert (await intake.ops.put("/ops/products/b", json=product("EUR", price=7))).status_code == 200
    lines = [product("JPY", product_id="b"), product("USD", product_id="new"), product("EUR", product_id="a")]
    body = "\n".join(map(json.dumps, lines))
    report = (await intake.ops.post("/ops/products:import", content=body)).json()
    assert report["imported"] == 2
    assert [one["line"] for one in report["rejected"]] == [1]
    assert "currency" in report["rejected"][0]["problem"]
    assert (await intake.ops.get("/ops/products/b")).json()["currency"] == "EUR"
    await intake.ops.post("/ops/sales/sale/close")
    assert (await intake.ops.put("/ops/products/b", json=product("JPY"))).status_code == 200


async def test_the_currency_stays_while_orders_of_a_closed_sale_wait(
    intake: Intake, sale: dict[str, Any], shop: Shop
) -> None:
    await intake.post("sale", lines=[{"product_id": "b", "quantity": 1}])
    await intake.ops.post("/ops/sales/sale/close")
    refused = await intake.ops.put("/ops/products/b", json=product("JPY"))
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    await shop.drain()
    assert (await intake.ops.put("/ops/products/b", json=product("JPY"))).status_code == 200


async def test_products_that_are_switched_off_are_not_put_on_sale(intake: Intake, sale: dict[str, Any]) -> None:
    await intake.ops.put("/ops/products/off", json=product("EUR", active=False))
    refused = await intake.ops.post("/ops/sales", json={"sale_id": "other", "products": [{"product_id": "off"}]})
    assert refused.status_code == 422
    assert refused.json()["errors"] == [
        {"field": "products[0].product_id", "problem": "is switched off (active: false)"}
    ]
    assert (await list_products(intake, A, B, {"product_id": "off"})).status_code == 422
    await intake.ops.put("/ops/products/b", json=product("EUR", active=False))
    assert (await list_products(intake, A, B | {"quantity": 3})).status_code == 200  # it was there before


async def test_ids_of_another_form_are_said_to_be(intake: Intake) -> None:
    for product_id, says in (("x ", "space"), ("e\u0301", "NFC")):
        refused = await intake.ops.put(f"/ops/products/{product_id}", json=product("EUR"))
        assert refused.status_code == 422
        assert says in refused.json()["errors"][0]["problem"]
        body = {"sale_id": "other", "products": [{"product_id": product_id}]}
        assert says in (await intake.ops.post("/ops/sales", json=body)).json()["errors"][0]["problem"]


def at(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


async def test_a_lobby_opens_before_the_start(intake: Intake) -> None:
    await intake.make_product("a")
    terms = {"products": [A], "starts_at": at(600)}
    for late in (600, 700):
        room = {"mode": "always", "lobby_opens_at": terms["starts_at"] if late == 600 else at(late)}
        refused = await intake.ops.post("/ops/sales", json=terms | {"sale_id": "late", "room": room})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "room.lobby_opens_at")
    room = {"mode": "always", "lobby_opens_at": at(300)}
    assert (await intake.ops.post("/ops/sales", json=terms | {"sale_id": "sale", "room": room})).status_code == 201
    for change in ({"starts_at": at(200)}, {"room": {"lobby_opens_at": at(900)}}):
        refused = await intake.ops.patch("/ops/sales/sale", json=change)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "room.lobby_opens_at")
    assert (await intake.ops.post("/ops/sales/sale/open")).status_code == 200  # now, before its lobby
    assert (await intake.ops.patch("/ops/sales/sale", json={"room": {"message": "hello"}})).status_code == 200


@pytest.mark.parametrize("url", ["//evil.example/x", "/\\evil.example", "https:///x", "http://?x", "ftp://x", "shop"])
async def test_an_order_url_leads_where_it_says(intake: Intake, url: str) -> None:
    await intake.make_product("a")
    body = {"sale_id": "sale", "products": [A], "room": {"mode": "always", "order_url": url}}
    refused = await intake.ops.post("/ops/sales", json=body)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "room.order_url")
    for good in ("/", "/shop?x=//y", "https://shop.example", "http://shop.example/a"):
        body["room"] = {"mode": "always", "order_url": good}
        body["sale_id"] = f"sale-{len(good)}"
        assert (await intake.ops.post("/ops/sales", json=body)).status_code == 201


async def test_orders_take_no_unknown_parameters_and_ids_in_capitals(intake: Intake, sale: dict[str, Any]) -> None:
    body = {"customer_id": "c", "lines": [{"product_id": "a", "quantity": 1}]}
    for key, query in enumerate(("?dry_run=1", "?x=/orders", "?expected=1&a=2")):
        refused = await intake.http.post(
            f"/sales/sale/orders{query}", json=body, headers={"Idempotency-Key": f"key-{key}"}
        )
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid"), query
    blank = await intake.http.post("/sales/sale/orders?x=", json=body, headers={"Idempotency-Key": "blank"})
    assert blank.status_code == 202
    order = blank.json()["order_id"]
    for path in (f"/orders/{order.upper()}", f"/orders/{order}"):
        assert (await intake.http.get(path)).json()["order_id"] == order
        assert (await intake.http.get(f"{path}?fields=x")).status_code == 422
    assert (await intake.ops.get(f"/ops/orders/{order.upper()}")).json()["order_id"] == order


async def test_customers_have_one_form(intake: Intake, sale: dict[str, Any]) -> None:
    for customer, says in ((" c", "space"), ("c\u00a0", "space"), ("e\u0301", "NFC")):
        for way in ({}, {"Prefer": "wait=0"}):
            refused = await intake.post("sale", customer_id=customer, lines=[A | {"quantity": 1}], headers=way)
            assert refused.status_code == 422
            assert refused.json()["errors"][0]["field"] == "customer_id"
            assert says in refused.json()["errors"][0]["problem"]
    refused = await intake.post("sale", lines=[{"product_id": "a ", "quantity": 1}])
    assert "space" in refused.json()["errors"][0]["problem"]
