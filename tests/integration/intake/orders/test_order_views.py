"""What shoppers see of an order: waiting for it, reading it, following it, cancelling it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from db.connections.pool import Connection
from doorbuster import keys
from intake.database import Database
from tests.fixtures.intake import Intake
from tests.fixtures.shop import Shop
from tests.fixtures.waiting import eventually, own_time


@pytest.fixture
async def sale(intake: Intake, shop: Shop) -> dict[str, Any]:
    """A sale of five units of one product, drained by the test itself."""
    made = await intake.open_sale()
    await intake.ops.post("/ops/products/hot/stock", json={"receive": 5})
    shop.sale_number = made["sale_number"]
    return made


async def order_of(intake: Intake, order: str) -> dict[str, Any]:
    answer = await intake.http.get(f"/orders/{order}")
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


async def test_an_order_is_accepted_then_pending(intake: Intake, sale: dict[str, Any], shop: Shop) -> None:
    accepted = (await intake.post("sale", metadata={"a": 1})).json()
    before = await order_of(intake, accepted["order_id"])
    assert (before["status"], before["history"], before["total"]) == ("accepted", [], None)
    assert before["accepted_at"] == accepted["accepted_at"]
    line = {"line": 1, "product_id": "hot", "quantity": 1, "cancelled": 0, "shipped": 0, "refunded": 0}
    assert before["lines"] == [line]
    assert (before["payment"], before["shipments"], before["refunds"]) == ({"status": "none"}, [], [])
    await shop.drain()
    after = await order_of(intake, accepted["order_id"])
    assert (after["status"], after["total"], after["currency"]) == ("pending", 100, "EUR")
    assert after["accepted_at"] == accepted["accepted_at"]
    assert after["lines"] == [line | {"unit_price": 100}]
    assert (after["payment"], after["shipments"], after["refunds"]) == ({"status": "due"}, [], [])
    assert after["reservation_expires_at"]
    assert [step["status"] for step in after["history"]] == ["pending"]
    assert {"reason", "customer_id"} & after.keys() == {"customer_id"}
    assert after["metadata"] == before["metadata"] == {"a": 1}


@pytest.mark.parametrize(
    "order", ["x", "00000000-0000-8000-8000-000000000000", "ffffffff-ffff-8fff-bfff-ffffffffffff", "%00", "a" * 3000]
)
async def test_unknown_orders_are_404(intake: Intake, order: str) -> None:
    for answer in (
        await intake.http.get(f"/orders/{order}"),
        await intake.http.get(f"/orders/{order}/events"),
        await intake.http.post(f"/orders/{order}/cancel"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "order_not_found")


async def waited(intake: Intake, shop: Shop, **body: Any) -> httpx.Response:
    """Post with `Prefer: wait`, and drain as soon as the order waits."""
    asked = asyncio.create_task(intake.post("sale", headers={"Prefer": "wait=10"}, **body))

    async def waits() -> bool:
        return intake.guard.waiting > 0

    await eventually(waits)
    await shop.drain()
    return await asked


async def test_prefer_wait_answers_with_the_reserved_order(intake: Intake, sale: dict[str, Any], shop: Shop) -> None:
    answer = await waited(intake, shop)
    assert (answer.status_code, answer.json()["status"]) == (201, "pending")
    assert answer.headers["preference-applied"] == "wait=10"
    assert answer.headers["location"] == answer.json()["links"]["self"]


async def test_prefer_wait_answers_sold_out(intake: Intake, sale: dict[str, Any], shop: Shop) -> None:
    answer = await waited(intake, shop, lines=[{"product_id": "hot", "quantity": 6}])
    assert (answer.status_code, answer.json()["code"]) == (409, "sold_out")
    order = await order_of(intake, answer.headers["location"].rpartition("/")[2])
    assert (order["status"], order["reason"]) == ("cancelled", "sold_out")


async def test_prefer_wait_answers_a_lost_message_too(
    intake: Intake, sale: dict[str, Any], shop: Shop, orders_redis: Redis
) -> None:
    await orders_redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    assert (await waited(intake, shop)).status_code == 201


async def test_prefer_wait_ends_with_202(intake: Intake, sale: dict[str, Any]) -> None:
    answer = await intake.post("sale", headers={"Prefer": "wait=1"})
    assert (answer.status_code, answer.json()["status"]) == (202, "accepted")


async def events(answer: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    told: dict[str, Any] = {}
    async for line in answer.aiter_lines():
        if line:
            name, _, value = line.partition(": ")
            told[name] = value
        elif told:
            if "data" in told:
                yield told | {"data": json.loads(told["data"])}
            told = {}


async def test_events_are_told_in_order_and_resumed(intake: Intake, sale: dict[str, Any], shop: Shop) -> None:
    order = (await intake.post("sale", payment={"token": "decline"})).json()["order_id"]
    async with intake.http.stream("GET", f"/orders/{order}/events") as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        stream = events(answer)
        await shop.drain()
        first = await anext(stream)
        assert (first["event"], first["id"], first["data"]["status"]) == ("transition", "1", "pending")
        assert (first["data"]["order_id"], first["data"]["seq"]) == (order, 1)
        await shop.settle()
        second = await anext(stream)
        assert (second["id"], second["data"]["status"]) == ("2", "cancelled")
        assert second["data"]["reason"]
        assert [event async for event in stream] == [], "the stream ends after a final state"
    async with intake.http.stream("GET", f"/orders/{order}/events", headers={"Last-Event-ID": "1"}) as answer:
        assert [event["id"] async for event in events(answer)] == ["2"]
    done = await intake.http.get(f"/orders/{order}/events", headers={"Last-Event-ID": "2"})
    assert done.status_code == 204


async def test_streams_end_when_the_process_stops(intake: Intake, sale: dict[str, Any]) -> None:
    order = (await intake.post("sale")).json()["order_id"]
    async with intake.http.stream("GET", f"/orders/{order}/events") as answer:
        intake.guard.begin_stop()
        async with own_time(5):
            assert [event async for event in events(answer)] == []


async def test_cancelling_gives_units_back_once(
    intake: Intake, sale: dict[str, Any], shop: Shop, orders_redis: Redis, db: Connection
) -> None:
    order = (await intake.post("sale", lines=[{"product_id": "hot", "quantity": 5}])).json()["order_id"]
    early = await intake.http.post(f"/orders/{order}/cancel")
    assert (early.status_code, early.json()["code"]) == (409, "illegal_transition")
    await shop.drain()
    assert (await shop.ledger("hot"))[:2] == (0, 5)
    await orders_redis.sadd(keys.sold_out(sale["sale_number"], 0), "hot")
    done = await intake.http.post(f"/orders/{order}/cancel")
    assert (done.status_code, done.json()["status"]) == (200, "cancelled")
    assert (await shop.ledger("hot"))[:2] == (5, 0)
    assert not await orders_redis.smembers(keys.sold_out(sale["sale_number"], 0))
    again = await intake.http.post(f"/orders/{order}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "illegal_transition")


@pytest.mark.parametrize("restock", [False, True])
async def test_moving_an_order_takes_one_connection(
    intake: Intake, sale: dict[str, Any], shop: Shop, monkeypatch: pytest.MonkeyPatch, restock: bool
) -> None:
    order = (await intake.post("sale", lines=[{"product_id": "hot", "quantity": 5}])).json()["order_id"]
    await shop.drain()
    taken, beside = 0, asyncio.all_tasks()  # what the process does by itself, now and then

    def counted(lend: Callable[..., AbstractAsyncContextManager[Connection]]) -> Any:
        def lent(self: Database, *told: Any, **more: Any) -> AbstractAsyncContextManager[Connection]:
            nonlocal taken
            taken += told not in (("watching",), ("sales",)) and asyncio.current_task() not in beside
            return lend(self, *told, **more)

        return lent

    monkeypatch.setattr(Database, "reading", counted(Database.reading))
    monkeypatch.setattr(Database, "working", counted(Database.working))
    steps = ["confirmed", "processing", "shipped", "delivered", "refunded"] if restock else ["cancelled"]
    for step in steps:
        taken = 0
        more = {"restock": True} if step == "refunded" else {}
        moved = await intake.ops.post(f"/ops/orders/{order}/transitions", json={"to": step} | more)
        assert (moved.status_code, moved.json()["status"], taken) == (200, step, 1)
    assert [one["status"] for one in moved.json()["history"]] == ["pending", *steps]
