"""The log of ops: every change leaves who made it, what it was and when, in the transaction of the change."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fixtures.intake import Intake
from tests.fixtures.shop import Shop
from tests.integration.intake.ops.test_bounds import fields_of
from tests.integration.intake.ops.test_ops import PRODUCT


async def log_of(intake: Intake, **params: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await intake.ops.get("/ops/audit", params=params)).json()["items"]
    return items


async def changes_of(intake: Intake, target: str) -> list[tuple[str, dict[str, Any]]]:
    return [(one["action"], one["change"]) for one in await log_of(intake, target=target)]


async def test_a_products_changes_are_in_the_log(intake: Intake) -> None:
    window = {"price": 5, "starts_at": "2030-01-01T00:00:00Z"}
    await intake.ops.put("/ops/products/lamp", json=PRODUCT)
    await intake.ops.post("/ops/products/lamp/stock", json={"receive": 10})
    await intake.ops.post("/ops/products/lamp/stock", json={"adjust": -3, "reason": "broken"})
    await intake.ops.put("/ops/products/lamp/prices", json={"windows": [window]})
    assert await changes_of(intake, "product:lamp") == [
        ("prices", {"windows": [window]}),
        ("adjust", {"adjust": -3, "reason": "broken"}),
        ("receive", {"receive": 10}),
        ("put", PRODUCT),
    ]


async def test_what_was_refused_is_not(intake: Intake) -> None:
    await intake.ops.put("/ops/products/lamp", json=PRODUCT)
    for method, path, body in (
        ("POST", "/ops/products/lamp/stock", {"adjust": -3, "reason": "broken"}),
        ("POST", "/ops/products/none/stock", {"receive": 3}),
        ("PUT", "/ops/products/lamp/prices", {"windows": [{"price": 1, "starts_at": "2030-01-01T00:00:00Z"}] * 2}),
        ("PUT", "/ops/products/none/prices", {"windows": []}),
        ("POST", "/ops/orders/00000100-0000-8000-8000-000000000000/transitions", {"to": "shipped"}),
        ("POST", "/ops/products:import", {"a": 1}),
    ):
        answer = await intake.ops.request(method, path, json=body)
        assert answer.status_code >= 400 or answer.json()["imported"] == 0
    assert [one["action"] for one in await log_of(intake)] == ["put"]


async def test_an_import_is_one_entry(intake: Intake) -> None:
    lines = [json.dumps(PRODUCT | {"product_id": f"p{n}"}) for n in range(1100)] + ["{"]
    await intake.ops.post("/ops/products:import", content="\n".join(lines), headers={"X-Operator": "ada"})
    [entry] = await log_of(intake)
    assert (entry["action"], entry["target"], entry["operator"]) == ("import", "catalogue", "ada")
    assert entry["change"] == {"imported": 1100, "rejected": 1}


async def test_moving_an_order_and_retrying_a_dead_letter_are_in_the_log(intake: Intake, shop: Shop) -> None:
    shop.sale_number = (await intake.open_sale())["sale_number"]
    await intake.ops.post("/ops/products/hot/stock", json={"receive": 2})
    first, second = [(await intake.post("sale")).json()["order_id"] for _ in range(2)]
    await shop.accept(b"broken")
    await shop.drain()
    path = f"/ops/orders/{first}/transitions"
    await intake.ops.post(path, json={"to": "confirmed"}, headers={"X-Operator": "Zo\u00eb".encode()})
    assert (await intake.ops.post(path, json={"to": "delivered"})).status_code == 409
    await intake.ops.post(path, json={"to": "cancelled", "reason": "no stock"})
    assert await changes_of(intake, f"order:{first}") == [
        ("transition", {"to": "cancelled", "reason": "no stock"}),
        ("transition", {"to": "confirmed"}),
    ]
    assert [one["operator"] for one in await log_of(intake, target=f"order:{first}")] == ["", "Zo\u00eb"]
    await intake.http.post(f"/orders/{second}/cancel")
    assert await changes_of(intake, f"order:{second}") == []  # the customer's doing, told by the order's history
    [letter] = (await intake.ops.get("/ops/dead-letters")).json()["items"]
    await intake.ops.post(f"/ops/dead-letters/{letter['dead_letter_id']}/retry")
    [(action, change)] = await changes_of(intake, f"dead_letter:{letter['dead_letter_id']}")
    assert (action, change.keys()) == ("retry", {"entry_id"})


async def test_a_sales_steps_are_in_the_log_with_their_operator_page_by_page(intake: Intake) -> None:
    intake.ops.headers["X-Operator"] = "ada"
    await intake.open_sale("one")
    for verb in ("hold", "resume", "drain", "close"):
        await intake.ops.post(f"/ops/sales/one/{verb}")
    seen: list[dict[str, Any]] = []
    query = {"target": "sale:one", "limit": "2"}
    while True:
        page = (await intake.ops.get("/ops/audit", params=query)).json()
        seen += page["items"]
        if "next_cursor" not in page:
            break
        query["cursor"] = page["next_cursor"]
    assert [one["action"] for one in seen] == ["close", "drain", "resume", "hold", "create"]
    assert {one["operator"] for one in seen} == {"ada"}
    assert all(one["at"].endswith("Z") for one in seen)


@pytest.mark.parametrize("name", ["x" * 129, "a\tb"])
async def test_an_operators_name_has_its_bounds(intake: Intake, name: str) -> None:
    answer = await intake.ops.put("/ops/products/lamp", json=PRODUCT, headers={"X-Operator": name})
    assert fields_of(answer) == {"X-Operator"}
    assert (await intake.ops.get("/ops/products/lamp")).status_code == 404
