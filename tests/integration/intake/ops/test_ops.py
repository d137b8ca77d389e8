"""The ops API: who may, what bodies it takes, what it makes of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from intake.web.openapi.operations import OPERATIONS
from tests.fixtures.intake import Intake, Serve
from tests.fixtures.shop import Shop

PRODUCT = {"name": "Lamp", "brand": "Acme", "category": "light", "price": 1999, "currency": "EUR"}
OPEN = {("post", "/ops/session"), ("delete", "/ops/session")}
"""Signing in is how one gets in, and signing out without having been in does nothing."""
_OPS = [one for one in OPERATIONS if one.path.startswith("/ops/") and (one.method, one.path) not in OPEN]


@pytest.mark.parametrize("key", [None, "Bearer", "Bearer wrong", "Basic an-ops-key-for-tests", "an-ops-key-for-tests"])
async def test_nothing_of_ops_answers_without_the_key(serve: Serve, key: str | None) -> None:
    intake = await serve(ops_tries_per_address=2 * len(_OPS))
    headers = {} if key is None else {"Authorization": key}
    for operation in _OPS:
        path = operation.path.replace("{", "").replace("}", "")
        answer = await intake.http.request(operation.method.upper(), path, headers=headers)
        assert answer.status_code == 401, (operation.method, path, answer.status_code)
        assert answer.json()["code"] == "ops_key_required", path
    assert (await intake.http.get("/ops/nothing", headers=headers)).status_code == 401
    signed_in = await intake.http.post("/ops/session", headers=headers, json={"key": "wrong-key-of-ops-1"})
    assert signed_in.status_code in (401, 429), "wrong keys are counted wherever they come"
    assert "set-cookie" not in signed_in.headers


async def test_roles_split_the_paths(serve: Serve) -> None:
    public, ops = await serve("public"), await serve("ops")
    assert (await public.ops.get("/ops/sales")).status_code == 404
    assert (await ops.ops.get("/ops/sales")).status_code == 200
    assert (await ops.post("sale")).status_code == 404
    for path in ("/healthz", "/readyz", "/metrics", "/openapi.json"):
        assert (await ops.http.get(path)).status_code == 200, path
        assert (await public.ops.get(path)).status_code == 200, path
    # Where shoppers alone come there is no inside to see without the ops key.
    assert [(await public.http.get(path)).status_code for path in ("/healthz", "/openapi.json")] == [200, 200]
    for path in ("/readyz", "/metrics"):
        for headers in ({}, {"Authorization": "Bearer wrong-key-of-ops-1"}):
            hidden = await public.http.get(path, headers=headers)
            assert (hidden.status_code, hidden.json()["code"]) == (404, "not_found")
        assert (await public.http.head(path)).status_code == 404


async def test_a_product_and_its_ledger(intake: Intake) -> None:
    made = await intake.ops.put("/ops/products/lamp-1", json=PRODUCT | {"attributes": {"watt": 5}})
    assert made.status_code == 200
    assert made.json()["stock"] == {"product_id": "lamp-1", "stock": 0, "reserved": 0, "sold": 0, "received": 0}
    received = await intake.ops.post("/ops/products/lamp-1/stock", json={"receive": 10})
    assert received.json() == {"product_id": "lamp-1", "stock": 10, "reserved": 0, "sold": 0, "received": 10}
    adjusted = await intake.ops.post("/ops/products/lamp-1/stock", json={"adjust": -3, "reason": "broken"})
    assert adjusted.json()["stock"] == adjusted.json()["received"] == 7
    too_much = await intake.ops.post("/ops/products/lamp-1/stock", json={"adjust": -8, "reason": "broken"})
    assert (too_much.status_code, too_much.json()["code"]) == (409, "conflict")
    changed = await intake.ops.put("/ops/products/lamp-1", json=PRODUCT | {"price": 1})
    assert (changed.json()["price"], changed.json()["version"], changed.json()["stock"]["stock"]) == (1, 2, 7)
    assert (await intake.ops.get("/ops/products/lamp-1")).json() == changed.json()


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("products/a/stock", {}, "receive"),
        ("products/a/stock", {"receive": 1, "adjust": 1}, "receive"),
        ("products/a/stock", {"receive": 0}, "receive"),
        ("products/a/stock", {"adjust": 1}, "reason"),
        ("products/a/stock", {"receive": 1, "colour": "red"}, "colour"),
        ("sales", {"products": [{"product_id": "lamp"}]}, "sale_id"),
        ("sales", {"sale_id": "a/b", "products": [{"product_id": "lamp"}]}, "sale_id"),
        ("sales", {"sale_id": "a", "products": []}, "products"),
        ("sales", {"sale_id": "a", "products": [{"product_id": "none"}]}, "products[0].product_id"),
        ("sales", {"sale_id": "a", "products": [{"product_id": "lamp"}], "starts_at": "tomorrow"}, "starts_at"),
        ("sales", {"sale_id": "a", "products": [{"product_id": "lamp"}], "partitions": 65}, "partitions"),
        ("sales", {"sale_id": "a", "products": [{"product_id": "lamp"}], "room": {"mode": "sometimes"}}, "room.mode"),
        ("orders/00000100-0000-8000-8000-000000000000/transitions", {"to": "pending"}, "to"),
    ],
)
async def test_wrong_fields_are_named(intake: Intake, path: str, body: dict[str, Any], field: str) -> None:
    await intake.make_product("lamp")
    answer = await intake.ops.post(f"/ops/{path}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), answer.text
    assert field in {error["field"] for error in answer.json()["errors"]}


async def test_a_sale_is_made_changed_and_listed(intake: Intake) -> None:
    made = await intake.open_sale("one", "lamp", name="One", prewarm_lead_s=60)
    assert (made["phase"], made["room"], made["partitions"]) == ("open", {"mode": "off"}, 1)
    again = await intake.ops.post("/ops/sales", json={"sale_id": "one", "products": [{"product_id": "lamp"}]})
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    changed = await intake.ops.patch("/ops/sales/one", json={"ends_at": "2099-01-01T00:00:00Z", "name": None})
    assert (changed.json()["ends_at"], changed.json()["name"]) == ("2099-01-01T00:00:00Z", None)
    assert changed.json()["version"] > made["version"]
    refused = await intake.ops.patch("/ops/sales/one", json={"ends_at": "2000-01-01T00:00:00Z"})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "ends_at")
    await intake.open_sale("two", "lamp")
    page = (await intake.ops.get("/ops/sales", params={"limit": 1})).json()
    assert [sale["sale_id"] for sale in page["items"]] == ["two"]
    rest = (await intake.ops.get("/ops/sales", params={"limit": 5, "cursor": page["next_cursor"]})).json()
    assert [sale["sale_id"] for sale in rest["items"]] == ["one"]
    assert "next_cursor" not in rest


async def test_a_sale_has_only_its_verbs(intake: Intake, staffed: None) -> None:
    await intake.open_sale("one")
    assert (await intake.ops.post("/ops/sales/one/explode")).status_code == 404
    assert (await intake.ops.post("/ops/sales/none/open")).json()["code"] == "sale_not_found"
    await intake.make_product("hot", units=1)
    assert (await intake.ops.post("/ops/sales/one/prewarm")).json()["go"] is True
    assert (await intake.ops.post("/ops/sales/one/close")).json()["phase"] == "closed"
    assert (await intake.ops.post("/ops/sales/one/open")).json()["code"] == "conflict"


async def test_open_begins_a_later_sale_now(intake: Intake) -> None:
    await intake.open_sale("later", starts_at="2099-01-01T00:00:00Z")
    assert (await intake.post("later")).status_code == 409
    await intake.ops.post("/ops/sales/later/open")
    assert (await intake.post("later")).status_code == 202


async def test_an_import_takes_the_good_lines(intake: Intake) -> None:
    lines = [json.dumps(PRODUCT | {"product_id": f"p{n}", "stock": n}) for n in range(1200)]
    lines[7:7] = ["{", json.dumps(PRODUCT), ""]
    report = (await intake.ops.post("/ops/products:import", content="\n".join(lines))).json()
    assert report["imported"] == 1200
    assert [line["line"] for line in report["rejected"]] == [8, 9]
    assert (await intake.ops.get("/ops/products/p1199")).json()["stock"]["stock"] == 1199
    assert (await intake.ops.post("/ops/products:import", content="\n".join(lines))).json()["imported"] == 1200
    assert (await intake.ops.get("/ops/products/p1199")).json()["stock"]["received"] == 1199


async def test_orders_are_listed_filtered_and_paged(intake: Intake, shop: Shop) -> None:
    shop.sale_number = (await intake.open_sale())["sale_number"]
    await intake.ops.post("/ops/products/hot/stock", json={"receive": 4})
    posted = [(await intake.post("sale", customer_id=f"c{n % 2}")).json()["order_id"] for n in range(6)]
    await shop.drain()
    seen: list[str] = []
    query = {"sale": "sale", "limit": "4"}
    while True:
        page = (await intake.ops.get("/ops/orders", params=query)).json()
        seen += [order["order_id"] for order in page["items"]]
        if "next_cursor" not in page:
            break
        query["cursor"] = page["next_cursor"]
    assert sorted(seen) == sorted(posted)
    cancelled = (await intake.ops.get("/ops/orders", params={"status": "cancelled"})).json()["items"]
    assert {order["reason"] for order in cancelled} == {"sold_out"}
    assert len((await intake.ops.get("/ops/orders", params={"customer": "c1"})).json()["items"]) == 3
    for wrong in ({"status": "lost"}, {"limit": "0"}, {"cursor": "x"}, {"stauts": "pending"}):
        answer = await intake.ops.get("/ops/orders", params=wrong)
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == list(wrong)


async def test_ops_move_an_order_on(intake: Intake, shop: Shop) -> None:
    shop.sale_number = (await intake.open_sale())["sale_number"]
    await intake.ops.post("/ops/products/hot/stock", json={"receive": 1})
    order = (await intake.post("sale")).json()["order_id"]
    path = f"/ops/orders/{order}/transitions"
    assert (await intake.ops.post(path, json={"to": "confirmed"})).json()["code"] == "illegal_transition"
    await shop.drain()
    for to in ("confirmed", "processing", "shipped", "delivered"):
        moved = await intake.ops.post(path, json={"to": to})
        assert (moved.status_code, moved.json()["status"]) == (200, to)
    assert (await intake.ops.post(path, json={"to": "cancelled"})).status_code == 409
    refunded = await intake.ops.post(path, json={"to": "refunded", "reason": "broken", "restock": True})
    assert refunded.json()["history"][-1]["status"] == "refunded"
    assert (await shop.ledger("hot")) == (1, 0, 0)
    assert (await intake.ops.get(f"/ops/orders/{order}")).json() == refunded.json()
