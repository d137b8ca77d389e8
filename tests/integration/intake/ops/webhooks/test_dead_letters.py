"""Dead letters of all kinds in one list: told apart by their ids, tried again, given up."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.fixtures.intake import Intake
from tests.fixtures.receivers import Hooks, Receiver
from tests.fixtures.waiting import eventually

BROKEN = b'{"gift'


async def listed(intake: Intake, **asked: str) -> list[dict[str, Any]]:
    answer = await intake.ops.get("/ops/dead-letters", params=asked)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


@pytest.fixture
async def failing(intake: Intake, hooks: Hooks) -> Receiver:
    """A receiver that did not take ada's first event; beside it an order that is none, and a payment that failed."""
    shop = hooks.shop
    await shop.stock(lamp=9)
    await shop.open_sale("lamp")
    receiver = await hooks.receiver("order.pending")
    receiver.answers = [500] * 100
    (order_id,) = await shop.buy("ada", lamp=1)
    await shop.accept(msgspec.structs.replace(shop.entry("bob", lamp=2), metadata=BROKEN))
    await shop.drain()
    await shop.settle()
    await hooks.fan_out()

    async def is_dead() -> bool:
        await hooks.deliver(webhook_retry_for_s=1, webhook_retry_s=0.3)
        return await hooks.states(receiver) == ["dead"]

    await eventually(is_dead, within_s=30, what="the delivery to be given up")
    await shop.db.execute(
        "insert into payment_operations (order_id, kind, state, finished_at, detail)"
        " values ($1, 'look_up', 'failed', now(), 'no such payment')",
        order_id,
    )
    receiver.answers.clear()
    return receiver


async def test_all_kinds_are_in_one_list(intake: Intake, failing: Receiver) -> None:
    payment, delivery, order = await listed(intake)
    assert [one["kind"] for one in (payment, delivery, order)] == ["payment", "delivery", "order"]
    assert isinstance(order["dead_letter_id"], int)
    assert delivery["dead_letter_id"].startswith("delivery-")
    assert payment["dead_letter_id"].startswith("payment-")
    assert {one["state"] for one in (payment, order, delivery)} == {"open"}
    assert (delivery["webhook_id"], delivery["type"], delivery["status_code"]) == (
        failing.webhook_id, "order.pending", 500,
    )  # fmt: skip
    assert (delivery["order_id"], delivery["event_id"]) == (payment["order_id"], failing.ids[0])
    assert "answered 500" in delivery["detail"]
    assert (payment["operation"], payment["detail"]) == ("look_up", "no such payment")
    for one in (payment, order, delivery):
        shown = (await intake.ops.get(f"/ops/dead-letters/{one['dead_letter_id']}")).json()
        shown.pop("payload_base64", None)
        assert shown.items() >= one.items()
        assert await listed(intake, kind=one["kind"]) == [one]
    shown = (await intake.ops.get(f"/ops/dead-letters/{delivery['dead_letter_id']}")).json()
    assert shown["payload"] == failing.got[0].body


async def test_filters_and_pages_go_over_all_kinds(intake: Intake, failing: Receiver) -> None:
    assert {one["kind"] for one in await listed(intake, customer="ada")} == {"payment", "delivery"}
    assert {one["kind"] for one in await listed(intake, customer="bob")} == {"order"}
    assert len(await listed(intake, sale="sale-1")) == 3
    assert await listed(intake, sale="other") == []
    all_of_them, pages, cursor = await listed(intake), [], None
    for _ in range(4):
        asked = {"limit": "1"} | ({"cursor": cursor} if cursor else {})
        page = (await intake.ops.get("/ops/dead-letters", params=asked)).json()
        pages += page["items"]
        cursor = page.get("next_cursor")
        if cursor is None:
            break
    assert pages == all_of_them
    for wrong in ("kind=odd", "cursor=12", "cursor=a-b-c", "state=odd"):
        assert (await intake.ops.get(f"/ops/dead-letters?{wrong}")).status_code == 422


async def test_a_delivery_is_tried_again(intake: Intake, hooks: Hooks, failing: Receiver) -> None:
    (letter,) = await listed(intake, kind="delivery")
    path = f"/ops/dead-letters/{letter['dead_letter_id']}"
    answer = await intake.ops.post(f"{path}/retry")
    assert (answer.status_code, answer.json()) == (200, {"dead_letter_id": letter["dead_letter_id"]})
    assert (await intake.ops.get(path)).json()["state"] == "retried"
    assert (await intake.ops.post(f"{path}/retry")).status_code == 409
    assert (await intake.ops.post(f"{path}/discard", json={"reason": "x"})).status_code == 409
    await hooks.deliver()
    assert (await intake.ops.get(path)).json()["state"] == "resolved"
    assert len({one.raw for one in failing.got}) == 1
    assert await listed(intake, kind="delivery") == []
    assert len(await listed(intake, kind="delivery", state="resolved")) == 1


async def test_a_delivery_is_given_up(intake: Intake, failing: Receiver) -> None:
    (letter,) = await listed(intake, kind="delivery")
    path = f"/ops/dead-letters/{letter['dead_letter_id']}"
    assert (await intake.ops.post(f"{path}/discard", json={})).status_code == 422
    given_up = (await intake.ops.post(f"{path}/discard", json={"reason": "told by hand"})).json()
    assert (given_up["state"], given_up["discard_reason"]) == ("discarded", "told by hand")
    assert (await intake.ops.post(f"{path}/retry")).status_code == 409
    noted = (await intake.ops.get("/ops/audit", params={"target": f"dead_letter:{letter['dead_letter_id']}"})).json()
    assert [one["action"] for one in noted["items"]] == ["discard"]


async def test_a_payment_is_tried_again_or_given_up(intake: Intake, failing: Receiver, hooks: Hooks) -> None:
    (letter,) = await listed(intake, kind="payment")
    path = f"/ops/dead-letters/{letter['dead_letter_id']}"
    assert (await intake.ops.post(f"{path}/retry")).status_code == 200
    assert await listed(intake, kind="payment") == []
    await hooks.shop.db.execute("update payment_operations set state = 'failed', finished_at = now()")
    given_up = (await intake.ops.post(f"{path}/discard", json={"reason": "by hand"})).json()
    assert (given_up["state"], given_up["discard_reason"]) == ("discarded", "by hand")
    assert len(await listed(intake, kind="payment", state="discarded")) == 1


@pytest.mark.parametrize("letter", ["delivery-999", "payment-999", "999999", "delivery-", "order-1", "delivery-x", "x"])
async def test_one_that_is_not_there(intake: Intake, letter: str) -> None:
    for method, step in (("GET", ""), ("POST", "/retry"), ("POST", "/discard")):
        body = {"reason": "x"} if step == "/discard" else None
        answer = await intake.ops.request(method, f"/ops/dead-letters/{letter}{step}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
