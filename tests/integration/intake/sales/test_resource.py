"""`GET /sales/{sale}`: what everyone may know of a sale; and what refusals of orders say of it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx
import pytest

from tests.fixtures.intake import Intake
from tests.fixtures.shop import Shop
from tests.fixtures.waiting import eventually


def at(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


@pytest.fixture
async def sale(intake: Intake, shop: Shop) -> dict[str, Any]:
    """A sale of 20 rugs at a price of their own, and of three lamps, two of them at most, one a customer."""
    for product, units in (("lamp", 3), ("rug", 20), ("vase", 0)):
        await intake.make_product(product, units=units)
    lamp = {"product_id": "lamp", "price": 80, "quantity": 2, "limit_per_customer": 1}
    body = {"sale_id": "sale", "name": "Spring", "products": [lamp, {"product_id": "rug"}, {"product_id": "vase"}]}
    answer = await intake.ops.post("/ops/sales", json=body)
    answer.raise_for_status()
    made: dict[str, Any] = answer.json()
    shop.sale_number = made["sale_number"]
    return made


async def shown(intake: Intake) -> dict[str, Any]:
    answer = await intake.http.get("/sales/sale")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_it_says_what_is_sold_when_and_for_how_much(intake: Intake, sale: dict[str, Any]) -> None:
    answer = await intake.http.get("/sales/sale")
    assert answer.headers["Cache-Control"] == "public, max-age=1"
    assert answer.json() == {
        "sale_id": "sale", "name": "Spring", "phase": "open", "starts_at": sale["starts_at"], "room": {"mode": "off"},
        "products": [
            {"product_id": "lamp", "name": "lamp", "price": 80, "regular_price": 100, "currency": "EUR",
             "limits": {"customer": 1}, "availability": "low"},
            {"product_id": "rug", "name": "rug", "price": 100, "currency": "EUR", "availability": "in_stock"},
            {"product_id": "vase", "name": "vase", "price": 100, "currency": "EUR", "availability": "sold_out"},
        ],
    }  # fmt: skip
    for validator in (answer.headers["ETag"], f'W/{answer.headers["ETag"]}, "other"', "*"):
        again = await intake.http.get("/sales/sale", headers={"If-None-Match": validator})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["ETag"] == answer.headers["ETag"]
    head = await intake.http.head("/sales/sale")
    assert (head.status_code, head.headers["ETag"]) == (200, answer.headers["ETag"])


async def test_there_is_none_only_if_there_is_none(intake: Intake, sale: dict[str, Any]) -> None:
    missing = await intake.http.get("/sales/other")
    assert (missing.status_code, missing.json()["code"]) == (404, "sale_not_found")
    assert (await intake.http.get("/sales/sale?x=1")).status_code == 422
    for verb, phase in (("hold", "hold"), ("resume", "open"), ("drain", "drain"), ("close", "closed")):
        await intake.ops.post(f"/ops/sales/sale/{verb}")
        assert (await shown(intake))["phase"] == phase


async def test_a_change_shows_at_the_next_request(intake: Intake, sale: dict[str, Any]) -> None:
    assert (await shown(intake))["products"][2]["availability"] == "sold_out"
    await intake.ops.post("/ops/products/vase/stock", json={"receive": 30})
    assert (await shown(intake))["products"][2]["availability"] == "in_stock"
    await intake.ops.patch("/ops/sales/sale", json={"products": [{"product_id": "rug"}], "room": {"mode": "always"}})
    after = await shown(intake)
    assert [one["product_id"] for one in after["products"]] == ["rug"]
    assert after["room"] == {"mode": "always", "page_url": "/sales/sale/wait", "status_url": "/sales/sale/room"}


async def test_what_is_switched_off_is_not_shown(intake: Intake, sale: dict[str, Any]) -> None:
    body = {"name": "rug", "brand": "", "category": "", "price": 1, "currency": "EUR", "active": False}
    await intake.ops.put("/ops/products/rug", json=body)

    async def gone() -> bool:
        return [one["product_id"] for one in (await shown(intake))["products"]] == ["lamp", "vase"]

    await eventually(gone)


async def test_a_start_and_an_end_show_by_themselves(intake: Intake) -> None:
    await intake.open_sale("sale", "hot", starts_at=at(600), ends_at=at(1200))
    seen = [(await shown(intake))["phase"]]

    async def has_become(phase: str) -> bool:
        seen.append((await shown(intake))["phase"])
        return seen[-1] == phase

    for moment, phase in (("starts_at", "open"), ("ends_at", "ended")):
        (await intake.ops.patch("/ops/sales/sale", json={moment: at(1.5)})).raise_for_status()
        await eventually(partial(has_become, phase), what=phase)
    assert list(dict.fromkeys(seen)) == ["scheduled", "open", "ended"]


async def test_not_open_says_the_phase_and_the_time(intake: Intake) -> None:
    start, end = at(600), at(1200)
    await intake.open_sale("sale", "hot", starts_at=start, ends_at=end)
    for way in ({}, {"Prefer": "wait=0"}):
        said = (await intake.post("sale", headers=way)).json()
        assert (said["code"], said["phase"]) == ("sale_not_open", "scheduled")
        assert datetime.fromisoformat(said["starts_at"]) == datetime.fromisoformat(start)
        assert datetime.fromisoformat(said["ends_at"]) == datetime.fromisoformat(end)
    for verb, phase in (("hold", "hold"), ("drain", "drain"), ("close", "closed")):
        await intake.ops.post(f"/ops/sales/sale/{verb}")
        assert (await intake.post("sale")).json()["phase"] == phase


async def decided(intake: Intake, shop: Shop, customer: str, *lines: tuple[str, int]) -> httpx.Response:
    """Post with `Prefer: wait`, and drain until it is answered."""
    listed = [{"product_id": product, "quantity": quantity} for product, quantity in lines]
    asked = asyncio.create_task(intake.post("sale", customer_id=customer, lines=listed, headers={"Prefer": "wait=10"}))

    await shop.drain_until(asked)
    return await asked


async def test_over_the_limit_says_line_product_limit_and_what_is_had(
    intake: Intake, sale: dict[str, Any], shop: Shop
) -> None:
    assert (await decided(intake, shop, "ann", ("lamp", 1))).status_code == 201
    refused = await decided(intake, shop, "ann", ("rug", 1), ("lamp", 1))
    said = refused.json()
    assert (refused.status_code, said["code"]) == (409, "limit_exceeded")
    facts = {"line": 2, "product_id": "lamp", "by": "customer", "limit": 1, "had": 1}
    assert {name: said[name] for name in facts} == facts
    order = (await intake.http.get(refused.headers["Location"])).json()
    assert (order["order_id"], order["reason"], order["refusal"]) == (said["order_id"], "limit_exceeded", facts)


async def test_sold_out_says_line_product_and_what_is_left(intake: Intake, sale: dict[str, Any], shop: Shop) -> None:
    refused = await decided(intake, shop, "ann", ("rug", 15), ("rug", 6))
    said = refused.json()
    assert (refused.status_code, said["code"]) == (409, "sold_out")
    assert (said["line"], said["product_id"], said["left"]) == (1, "rug", 20)
    await decided(intake, shop, "bob", ("lamp", 1))
    await decided(intake, shop, "cyd", ("lamp", 1))

    async def known_here() -> bool:
        answer = (await intake.post("sale", customer_id="dan", lines=[
            {"product_id": "rug", "quantity": 1}, {"product_id": "lamp", "quantity": 1},
        ])).json()  # fmt: skip
        facts = (answer.get("code"), answer.get("line"), answer.get("product_id"), answer.get("left"))
        return facts == ("sold_out", 2, "lamp", 0)

    await eventually(known_here)
