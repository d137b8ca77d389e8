"""The terms of a sale that ops name: payment, holds, standby, limits on people; what contradicts itself is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fixtures.intake import Intake
from tests.fixtures.shop import Shop

LIMITS = {"customer": 5, "email": 4, "card": 3, "address": 2, "device": 1}


def of(**terms: Any) -> dict[str, Any]:
    return {"sale_id": "sale", "products": [{"product_id": "hot"} | terms.pop("product", {})]} | terms


async def test_they_have_defaults_and_are_kept(intake: Intake) -> None:
    made = await intake.open_sale()
    named = {name: made[name] for name in ("payment", "hold_extension_s", "standby_max")}
    assert named == {"payment": "capture", "hold_extension_s": 300, "standby_max": 10_000}
    assert (made["products"][0]["limits"], made["products"][0]["limit_per_customer"]) == (None, None)
    wanted = {"payment": "none", "hold_extension_s": 0, "standby_max": 1_000_000}
    changed = (await intake.ops.patch("/ops/sales/sale", json=wanted)).json()
    assert {name: changed[name] for name in wanted} == wanted
    products = [{"product_id": "hot", "limits": LIMITS}]
    changed = (await intake.ops.patch("/ops/sales/sale", json={"products": products})).json()
    assert changed["products"][0] == {
        "product_id": "hot", "price": None, "quantity": None, "limits": LIMITS, "limit_per_customer": 5,
    }  # fmt: skip
    assert {name: changed[name] for name in wanted} == wanted
    assert "identity_key" not in changed


async def test_everyone_sees_the_limits(intake: Intake) -> None:
    await intake.make_product(units=5)
    limits = {"email": 2, "device": 1}
    made = await intake.ops.post("/ops/sales", json=of(product={"limits": limits}, payment="authorise"))
    assert (made.status_code, made.json()["payment"]) == (201, "authorise")
    assert made.json()["products"][0]["limit_per_customer"] is None
    (shown,) = (await intake.http.get("/sales/sale")).json()["products"]
    assert shown["limits"] == limits


@pytest.mark.parametrize(
    ("product", "customer"),
    [
        ({"limit_per_customer": 2}, 2),
        ({"limit_per_customer": 2, "limits": {"customer": 2}}, 2),
        ({"limit_per_customer": 2, "limits": {"email": 9}}, 2),
        ({"limit_per_customer": None, "limits": {"customer": 3}}, 3),
    ],
)
async def test_a_customers_limit_has_two_names(intake: Intake, product: dict[str, Any], customer: int) -> None:
    await intake.make_product()
    made = (await intake.ops.post("/ops/sales", json=of(product=product))).json()["products"][0]
    assert (made["limit_per_customer"], made["limits"]["customer"]) == (customer, customer)


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"product": {"limit_per_customer": 2, "limits": {"customer": 3}}}, "products[0].limit_per_customer"),
        ({"product": {"limits": {"phone": 3}}}, "products[0].limits.phone"),
        ({"product": {"limits": {"email": 0}}}, "products[0].limits.email"),
        ({"product": {"limits": {"card": 1_000_001}}}, "products[0].limits.card"),
        ({"payment": "later"}, "payment"),
        ({"payment": None}, "payment"),
        ({"hold_extension_s": 86_401}, "hold_extension_s"),
        ({"hold_extension_s": -1}, "hold_extension_s"),
        ({"standby_max": 1_000_001}, "standby_max"),
    ],
)
async def test_what_is_wrong_is_named(intake: Intake, terms: dict[str, Any], field: str) -> None:
    await intake.open_sale("other")
    body = of(**terms)
    for refused in (
        await intake.ops.post("/ops/sales", json=body),
        await intake.ops.patch("/ops/sales/other", json={name: body[name] for name in body.keys() - {"sale_id"}}),
    ):
        said = refused.json()
        assert (refused.status_code, said["code"], said["errors"][0]["field"]) == (422, "invalid", field), said


async def test_how_money_is_taken_stays_once_there_are_orders(intake: Intake, shop: Shop) -> None:
    await intake.make_product(units=5)
    shop.sale_number = (await intake.open_sale())["sale_number"]
    assert (await intake.post("sale")).status_code == 202
    assert (await intake.ops.patch("/ops/sales/sale", json={"payment": "authorise"})).status_code == 200
    await shop.drain()
    refused = await intake.ops.patch("/ops/sales/sale", json={"payment": "none"})
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert (await intake.ops.patch("/ops/sales/sale", json={"payment": "authorise", "hold_s": 5})).status_code == 200
