"""Entries that could not become orders: whose they are, what they hold, tried again, given up."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from db.connections.pool import Connection
from doorbuster.orderstore import entry
from tests.fixtures.intake import Intake
from tests.fixtures.shop import Shop

BROKEN = b'{"gift'
"""Metadata that is no JSON: Postgres takes no such order."""


@pytest.fixture
async def letter(intake: Intake, shop: Shop) -> dict[str, Any]:
    """A dead letter of ann's two units."""
    shop.sale_number = (await intake.open_sale())["sale_number"]
    await intake.ops.post("/ops/products/hot/stock", json={"receive": 5})
    order = msgspec.structs.replace(shop.entry("ann", hot=2, token="tok_1"), metadata=BROKEN)
    await shop.accept(order)
    await shop.drain()
    (found,) = await listed(intake)
    return found


async def listed(intake: Intake, **asked: str) -> list[dict[str, Any]]:
    answer = await intake.ops.get("/ops/dead-letters", params=asked)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def path(letter: dict[str, Any], verb: str = "") -> str:
    return f"/ops/dead-letters/{letter['dead_letter_id']}{verb}"


async def test_it_says_whose_it_is_and_what_it_holds(intake: Intake, letter: dict[str, Any]) -> None:
    assert (letter["kind"], letter["state"], letter["customer_id"]) == ("order", "open", "ann")
    assert letter["lines"] == [{"product_id": "hot", "quantity": 2}]
    assert letter["reason"] == "rejected_by_database"
    assert letter["payload"]["lines"] == letter["lines"]
    assert "tok_1" not in str(letter)
    shown = (await intake.ops.get(path(letter))).json()
    assert shown.pop("payload_base64")
    assert shown == letter
    assert (await intake.ops.get("/ops/dead-letters/999999")).status_code == 404


async def test_it_is_found_by_customer_and_by_order(intake: Intake, letter: dict[str, Any]) -> None:
    assert await listed(intake, customer="ann") == [letter]
    assert await listed(intake, customer="bob") == []
    assert await listed(intake, sale="sale") == [letter]
    assert (await intake.ops.get("/ops/dead-letters?state=odd")).status_code == 422
    for base in (intake.http.get, intake.ops.get):
        where = "/orders/" if base == intake.http.get else "/ops/orders/"
        order = (await base(where + letter["order_id"])).json()
        assert (order["status"], order["customer_id"], order["reason"]) == ("accepted", "ann", "rejected_by_database")
        assert [(one["product_id"], one["quantity"]) for one in order["lines"]] == [("hot", 2)]


async def test_one_that_fails_again_stays_one(intake: Intake, letter: dict[str, Any], shop: Shop) -> None:
    assert (await intake.ops.post(path(letter, "/retry"))).status_code == 200
    (waiting,) = await listed(intake)
    assert waiting["state"] == "retried"
    await shop.drain()
    (again,) = await listed(intake)
    assert (again["dead_letter_id"], again["state"], again["failures"]) == (letter["dead_letter_id"], "open", 2)
    assert again["created_at"] == letter["created_at"] < again["failed_at"]
    assert len(await listed(intake, state="all")) == 1


async def test_bytes_that_are_no_order_stay_one_too(intake: Intake, shop: Shop) -> None:
    shop.sale_number = (await intake.open_sale())["sale_number"]
    await shop.accept(b"no entry")
    await shop.drain()
    (first,) = await listed(intake)
    assert (first["customer_id"], first["lines"], first["payload"]) == (None, [], None)
    await intake.ops.post(path(first, "/retry"))
    await shop.drain()
    (again,) = await listed(intake)
    assert (again["dead_letter_id"], again["failures"]) == (first["dead_letter_id"], 2)


async def test_one_that_becomes_an_order_is_resolved(
    intake: Intake, letter: dict[str, Any], shop: Shop, db: Connection
) -> None:
    payload = await db.fetchval("select payload from dead_letters")
    mended = msgspec.structs.replace(entry.decode(payload), metadata=None)
    await db.execute("update dead_letters set payload = $1", entry.encode(mended))
    await intake.ops.post(path(letter, "/retry"))
    await shop.drain()
    assert await listed(intake) == []
    (resolved,) = await listed(intake, state="resolved")
    assert resolved["dead_letter_id"] == letter["dead_letter_id"]
    refused = await intake.ops.post(path(letter, "/retry"))
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")


async def test_one_that_is_given_up_shows_as_cancelled(intake: Intake, letter: dict[str, Any]) -> None:
    assert (await intake.ops.post(path(letter, "/discard"), json={})).status_code == 422
    done = await intake.ops.post(path(letter, "/discard"), json={"reason": "told ann"})
    assert (done.status_code, done.json()["state"], done.json()["discard_reason"]) == (200, "discarded", "told ann")
    order = (await intake.http.get(f"/orders/{letter['order_id']}")).json()
    assert (order["status"], order["reason"], order["customer_id"]) == ("cancelled", "told ann", "ann")
    assert [step["status"] for step in order["history"]] == ["cancelled"]
    assert await listed(intake) == []
    assert len(await listed(intake, state="discarded")) == 1
    for verb, body in (("/retry", None), ("/discard", {"reason": "again"})):
        refused = await intake.ops.post(path(letter, verb), json=body)
        assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    log = (await intake.ops.get("/ops/audit", params={"target": f"dead_letter:{letter['dead_letter_id']}"})).json()
    assert [(one["action"], one["change"]) for one in log["items"]] == [("discard", {"reason": "told ann"})]
