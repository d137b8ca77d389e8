"""Many orders moved by one file: a line each, done by itself, answered by itself, safe to send again."""

from __future__ import annotations

import json
from typing import Any

import httpx

from intake.ops.fulfilment.bulk import FILES_MAX, LINE_MAX
from tests.fixtures.fulfilment import Fulfilment, refusal


async def sent(fulfilment: Fulfilment, *lines: Any, **headers: str) -> httpx.Response:
    body = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
    return await fulfilment.intake.ops.post("/ops/orders:transition", content=body, headers=headers)


def answers(answer: httpx.Response) -> list[dict[str, Any]]:
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-ndjson"), answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


async def test_each_line_is_done_by_itself_and_answered(fulfilment: Fulfilment) -> None:
    orders = [await fulfilment.place(1, 1, to="processing") for _ in range(3)]
    await fulfilment.transition("cancelled")
    lines = [
        {"order_id": orders[0], "to": "shipped", "carrier": "Post", "tracking": "T1", "reason": "night shift"},
        {"order_id": orders[2], "to": "shipped"},
        b"",
        b"{no json",
        {"order_id": orders[1], "to": "eaten"},
        {"order_id": "x", "to": "shipped"},
        {"order_id": orders[1], "to": "cancelled", "reason": "rejected by fulfilment"},
        {"order_id": orders[1], "to": "shipped", "restock": True},
        {"order_id": orders[1], "to": "processing", "carrier": "Post"},
    ]
    found = answers(await sent(fulfilment, *lines, **{"X-Operator": "bob"}))
    assert found[0] == {"line": 1, "order_id": orders[0], "status": "shipped", "changed": True}
    assert found[1]["code"] == "illegal_transition"
    assert (found[1]["line"], found[1]["order_id"], found[1]["allowed"]) == (2, orders[2], [])
    assert [(one["line"], one.get("code")) for one in found[2:]] == [
        (4, "malformed"), (5, "invalid"), (6, "order_not_found"), (7, None), (8, "invalid"), (9, "invalid"),
    ]  # fmt: skip
    assert all(one["problem"] for one in found if "code" in one)
    shown = (await fulfilment.intake.http.get(f"/orders/{orders[0]}")).json()
    assert shown["shipments"][0].items() >= {"carrier": "Post", "tracking": "T1"}.items()
    rejected = (await fulfilment.intake.http.get(f"/orders/{orders[1]}")).json()
    assert (rejected["status"], rejected["reason"]) == ("cancelled", "rejected by fulfilment")
    assert rejected["refunds"][0]["reason"] == "rejected by fulfilment"
    page = (await fulfilment.intake.ops.get("/ops/audit", params={"target": f"order:{orders[0]}"})).json()
    assert (page["items"][0]["operator"], page["items"][0]["change"]["reason"]) == ("bob", "night shift")


async def test_the_same_file_again_changes_nothing(fulfilment: Fulfilment) -> None:
    orders = [await fulfilment.place(1, 1, to="processing") for _ in range(3)]
    lines = [{"order_id": order, "to": "shipped"} for order in orders]
    assert [one["changed"] for one in answers(await sent(fulfilment, *lines))] == [True] * 3
    before = await fulfilment.held()
    again = answers(await sent(fulfilment, *lines))
    assert [(one["status"], one["changed"]) for one in again] == [("shipped", False)] * 3
    assert await fulfilment.held() == before


async def test_a_line_is_bounded(fulfilment: Fulfilment) -> None:
    order = await fulfilment.place(1, 1, to="processing")
    line = json.dumps({"order_id": order, "to": "shipped"}).encode()
    fits = line + b" " * (LINE_MAX - len(line))
    long = [b" " * 10 * LINE_MAX + line, line + b" " * (LINE_MAX - len(line) + 1)]
    found = answers(await sent(fulfilment, *long, fits))
    assert [(one["line"], one.get("code")) for one in found] == [(1, "invalid"), (2, "invalid"), (3, None)]


async def test_a_body_of_another_kind_is_refused(fulfilment: Fulfilment) -> None:
    for headers in ({"Content-Type": "text/csv"}, {"Content-Encoding": "gzip"}):
        assert refusal(await sent(fulfilment, b"x", **headers)) == (415, "unsupported_media_type")
    assert refusal(await sent(fulfilment, b"x", **{"X-Operator": "x" * 129})) == (422, "invalid")
    assert answers(await sent(fulfilment)) == []


async def test_places_of_files_are_free_again(fulfilment: Fulfilment) -> None:
    for _ in range(FILES_MAX + 1):
        assert [one["code"] for one in answers(await sent(fulfilment, b"x"))] == ["malformed"]
