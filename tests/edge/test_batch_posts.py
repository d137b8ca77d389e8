"""Batches of orders at their bounds: who may, how many lines, how many bytes, how many at a time; nothing in part."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from tests.fixtures.intake import Intake, Serve
from tests.fixtures.waiting import eventually, own_time

WHERE = "/sales/sale/orders:batch"
LINES = {"Content-Type": "application/x-ndjson"}
KEY = "a-storefront-key-for-tests"


def order(key: str, **more: object) -> bytes:
    body = {"idempotency_key": key, "customer_id": "c", "lines": [{"product_id": "hot", "quantity": 1}]} | more
    return json.dumps(body).encode()


def said(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def taken(intake: Intake, body: bytes, **headers: str) -> list[tuple[int, bool]]:
    answer = await intake.http.post(WHERE, content=body, headers=LINES | headers)
    assert answer.status_code == 200, answer.text
    found = [json.loads(line) for line in answer.text.splitlines()]
    return [(one["status"], one.get("replayed", False)) for one in found]


@pytest.fixture
async def tight(serve: Serve) -> Intake:
    intake = await serve(
        batch_post_lines_max=3,
        batch_post_line_bytes_max=1024,
        batch_post_bytes_max=2048,
        batch_posts_max=1,
    )
    await intake.open_sale()
    return intake


async def test_nothing_is_taken_beyond_a_bound_of_the_whole(tight: Intake) -> None:
    three = b"\n".join(order(f"k{number}") for number in range(3))
    four = await tight.http.post(WHERE, content=three + b"\n" + order("k3"), headers=LINES)
    assert said(four) == (413, "too_large")
    long = await tight.http.post(WHERE, content=three + b"\n" * 2048, headers=LINES)
    assert said(long) == (413, "too_large")

    async def unsaid() -> object:
        yield three + b"\n"
        for _ in range(8):
            yield b" " * 256

    assert said(await tight.http.post(WHERE, content=unsaid(), headers=LINES)) == (413, "too_large")
    assert await taken(tight, three + b"\n\r\n \n") == [(202, False)] * 3  # blank lines are none


async def test_a_line_beyond_its_bound_is_alone_in_it(tight: Intake) -> None:
    base = len(order("a", metadata={"a": ""}))
    fits, beyond = (order("a", metadata={"a": "x" * (1024 - base + more)}) for more in (0, 1))
    assert (len(fits), len(beyond)) == (1024, 1025)
    assert await taken(tight, beyond + b"\n" + order("b")) == [(413, False), (202, False)]
    assert await taken(tight, order("b") + b"\r\n" + fits + b"\r\n") == [(202, True), (202, False)]
    assert await taken(tight, order("b") + b"\n" + fits) == [(202, True), (202, True)]


async def test_what_is_no_batch_is_refused_whole(shop: Intake) -> None:
    wrong: list[tuple[bytes, dict[str, str], tuple[int, str]]] = [
        (b"", LINES, (400, "malformed")),
        (b" \r\n\n", LINES, (400, "malformed")),
        (order("k"), {"Content-Type": "text/csv"}, (415, "unsupported_media_type")),
        (order("k"), LINES | {"Content-Encoding": "gzip"}, (415, "unsupported_media_type")),
    ]
    for body, headers, expected in wrong:
        assert said(await shop.http.post(WHERE, content=body, headers=headers)) == expected
    nowhere = await shop.http.post("/sales/none/orders:batch", content=order("k"), headers=LINES)
    assert said(nowhere) == (404, "sale_not_found")
    assert said(await shop.http.post(f"{WHERE}?a=1", content=order("k"), headers=LINES)) == (422, "invalid")
    assert said(await shop.http.get(WHERE)) == (405, "method_not_allowed")
    for media in ("application/jsonl", "application/x-ndjson; charset=utf-8", "application/json"):
        assert await taken(shop, order(media), **{"Content-Type": media}) == [(202, False)]


async def test_with_storefront_keys_it_takes_one_whatever_the_lines_carry(serve: Serve) -> None:
    keyed = await serve(storefront_keys=f"another-key-for-tests,{KEY}")
    await keyed.open_sale()
    for headers in ({}, {"X-Storefront-Key": KEY[:-1]}, {"Authorization": f"Bearer {KEY}"}):
        refused = await keyed.http.post(WHERE, content=order("k", admission="a.b"), headers=LINES | headers)
        assert said(refused) == (401, "admission_required")
    body = b"".join(order(f"k{number}") + b"\n" for number in range(3))
    assert await taken(keyed, body, **{"X-Storefront-Key": KEY}) == [(202, False)] * 3


async def test_so_many_are_in_work_and_a_slow_one_does_not_hold_its_place(serve: Serve) -> None:
    tight = await serve(batch_posts_max=1, body_timeout_s=3)
    await tight.open_sale()
    reader, writer = await asyncio.open_connection("127.0.0.1", tight.port)
    head = f"POST {WHERE} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\nContent-Length: 900\r\n\r\n"
    writer.write(head.encode() + order("slow"))

    async def is_busy() -> bool:
        answer = await tight.http.post(WHERE, content=order("k"), headers=LINES)
        if answer.status_code == 503:
            assert said(answer) == (503, "overloaded")
            assert answer.headers["Retry-After"] == "1"
        return answer.status_code == 503

    await eventually(is_busy, what="the place to be taken")
    async with own_time(10):
        told = await reader.read()
    assert told.startswith(b"HTTP/1.1 400 ")
    writer.close()
    assert await taken(tight, order("slow")) == [(202, False)]


async def test_heads_without_bodies_keep_nobody_out(serve: Serve) -> None:
    """Who only announces batches holds no place among the requests in work, with a storefront key or without."""
    intake = await serve(in_flight_max=3, body_timeout_s=5.0)
    await intake.open_sale()
    head = f"POST {WHERE} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\nContent-Length: 900\r\n\r\n"
    opened = [await asyncio.open_connection("127.0.0.1", intake.port) for _ in range(12)]
    for _, writer in opened:
        writer.write(head.encode())

    async def are_awaited() -> bool:
        return intake.guard.bodies.awaited == len(opened)

    await eventually(are_awaited, what="the heads to be read")
    assert intake.guard.in_flight == 0
    assert (await intake.post("sale")).status_code == 202
    assert await taken(intake, order("beside")) == [(202, False)]
    for _, writer in opened:
        writer.close()
