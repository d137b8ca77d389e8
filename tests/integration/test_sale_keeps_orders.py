"""What would leave an accepted order without an answer is refused while a sale has the product, or orders wait."""

from __future__ import annotations

import json
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
