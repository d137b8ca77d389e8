"""An order costs what its sender expects, or nothing: at the door, and at its turn."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import httpx
import pytest

from doorbuster import keys
from doorbuster.contract.fields import TOTAL_MAX
from tests.fixtures.intake import Intake, Serve
from tests.fixtures.shop import Shop

LINES = [{"product_id": "lamp", "quantity": 2}, {"product_id": "rug", "quantity": 1}]


def product(price: int) -> dict[str, Any]:
    return {"name": "rug", "brand": "", "category": "", "price": price, "currency": "EUR"}


@pytest.fixture
async def sale(intake: Intake, shop: Shop) -> dict[str, Any]:
    """A sale of lamps at 80, and of rugs at their own price, 100."""
    for one in ("lamp", "rug"):
        await intake.make_product(one, units=50)
    body = {"sale_id": "sale", "products": [{"product_id": "lamp", "price": 80}, {"product_id": "rug"}]}
    made: dict[str, Any] = (await intake.ops.post("/ops/sales", json=body)).json()
    shop.sale_number = made["sale_number"]
    return made


async def post(intake: Intake, total: int, key: str) -> httpx.Response:
    return await intake.post("sale", lines=LINES, expected_total=total, key=key)


async def test_it_is_taken_at_the_price_it_expects_alone(intake: Intake, sale: dict[str, Any], shop: Shop) -> None:
    taken = await post(intake, 260, "one")
    assert taken.status_code == 202
    refused = await post(intake, 259, "two")
    said = refused.json()
    assert (refused.status_code, said["code"], said["total"]) == (409, "price_changed", 260)
    assert said["lines"] == [{"product_id": "lamp", "unit_price": 80}, {"product_id": "rug", "unit_price": 100}]
    assert await shop.orders.xlen(keys.stream(shop.sale_number, 0)) == 1
    assert (await post(intake, 260, "two")).status_code == 202  # the key was not used up
    assert (await post(intake, -1, "three")).status_code == 422


async def test_it_is_no_part_of_the_fingerprint(intake: Intake, sale: dict[str, Any]) -> None:
    taken = await post(intake, 260, "one")
    await intake.ops.put("/ops/products/rug", json=product(120))
    for again in (await post(intake, 260, "one"), await post(intake, 280, "one"), await post(intake, 1, "one")):
        assert (again.status_code, again.json()) == (202, taken.json())
        assert again.headers["Idempotency-Replayed"] == again.headers["Idempotent-Replayed"] == "true"
    assert (await intake.post("sale", lines=LINES, key="one")).json() == taken.json()
    other = await intake.post("sale", lines=LINES[:1], expected_total=1, key="one")
    assert other.json()["code"] == "idempotency_conflict"


async def test_a_new_price_holds_at_the_next_request_everywhere(
    intake: Intake, sale: dict[str, Any], serve: Serve
) -> None:
    other = await serve()
    for price in (100, 120, 90):
        await intake.ops.put("/ops/products/rug", json=product(price))
        assert (await post(other, 160 + price, f"good-{price}")).status_code == 202
        refused = await post(other, 161 + price, f"bad-{price}")
        assert (refused.status_code, refused.json()["total"]) == (409, 160 + price)


async def test_a_price_that_changes_on_the_way_changes_no_order(
    intake: Intake, sale: dict[str, Any], shop: Shop
) -> None:
    order = (await post(intake, 260, "one")).json()["order_id"]
    unbound = (await intake.post("sale", lines=LINES)).json()["order_id"]
    await intake.ops.put("/ops/products/rug", json=product(120))
    await shop.drain()
    found = await shop.statuses([UUID(order), UUID(unbound)])
    assert found == ["pending", "pending"]
    totals = [(await intake.http.get(f"/orders/{one}")).json()["total"] for one in (order, unbound)]
    assert totals == [260, 260], "what was in force when they were accepted"


async def test_a_sale_that_is_not_open_says_so_first(intake: Intake, sale: dict[str, Any]) -> None:
    await intake.ops.post("/ops/sales/sale/hold")
    assert (await post(intake, 1, "one")).json()["code"] == "sale_not_open"


async def test_a_total_has_its_bound(intake: Intake, shop: Shop) -> None:
    names = [f"p{number}" for number in range(20)]
    await intake.open_sale("sale", *names)
    for name in names:
        (await intake.ops.put(f"/ops/products/{name}", json=product(10**12))).raise_for_status()
    lines = [{"product_id": name, "quantity": 1000} for name in names]
    refused = await intake.post("sale", lines=lines)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "lines")
    assert str(TOTAL_MAX) in refused.json()["errors"][0]["problem"]
    assert (await intake.post("sale", lines=lines[:9])).status_code == 202
    assert (await intake.post("sale", lines=[line | {"quantity": 400} for line in lines])).status_code == 202
