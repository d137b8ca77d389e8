"""Batches of orders: a verdict a line, what the post of that order alone would have been told; and no order twice."""

from __future__ import annotations

import importlib.util
import itertools
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from doorbuster import keys
from tests.fixtures.breaking_off import break_off
from tests.fixtures.intake import Intake, Serve
from tests.fixtures.shop import Shop
from tests.fixtures.visitors import Visitor, open_room

WHERE = "/sales/sale/orders:batch"
LINES = {"Content-Type": "application/x-ndjson"}
PARTITIONS = 4
EXAMPLE = Path(__file__).parents[4] / "examples" / "python" / "batch.py"
_keys = itertools.count()


def order(key: str | None = None, **fields: Any) -> dict[str, Any]:
    """Return a line: one unit of `hot`, unless `fields` say otherwise; a field that is None is left out."""
    lines = [{"product_id": "hot", "quantity": 1}]
    made = {"idempotency_key": key or f"batch-{next(_keys)}", "customer_id": "c", "lines": lines} | fields
    return {name: value for name, value in made.items() if value is not None}


async def send(intake: Intake, *lines: Any, headers: dict[str, str] | None = None) -> httpx.Response:
    """Post lines: values as JSON, texts and bytes as they are."""
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    return await intake.http.post(WHERE, content="\n".join(texts).encode(), headers=LINES | (headers or {}))


def verdicts(answer: httpx.Response) -> list[dict[str, Any]]:
    """Return what became of each line."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


async def post(intake: Intake, *lines: Any, headers: dict[str, str] | None = None) -> list[dict[str, Any]]:
    return verdicts(await send(intake, *lines, headers=headers))


def said(verdict: dict[str, Any]) -> tuple[int, int, str | None]:
    return verdict["line"], verdict["status"], verdict.get("code")


@pytest.fixture
async def sale(intake: Intake, shop: Shop) -> Intake:
    made = await intake.open_sale("sale", "hot", "rug", partitions=PARTITIONS)
    for product in ("hot", "rug"):
        await intake.make_product(product, units=50)
    shop.sale_number = made["sale_number"]
    return intake


async def test_each_line_is_answered_as_its_order_alone_would_be(sale: Intake) -> None:
    lines: list[Any] = [
        order("one", customer_id="ann", metadata={"cart": "1"}),
        order("one", customer_id="bob"),  # keys are a customer's own
        "{", "[]", order(customer_id=None), order(lines=[{"product_id": "none", "quantity": 1}]), order(unknown=1),
        order(idempotency_key=None), order("\u00fc"), order("k" * 256), order(idempotency_key=5),
        "x" * 20_000, order(expected_total=99), order(expected_total=100), order(customer_id=" ann"),
        order(metadata={"a": "\x00"}), order("one", customer_id="ann", metadata={"cart": "1"}),
        order("one", customer_id="ann", metadata={"cart": "2"}),
    ]  # fmt: skip
    found = await post(sale, *lines)
    assert [said(one) for one in found] == [
        (1, 202, None), (2, 202, None), (3, 400, "malformed"), (4, 422, "invalid"), (5, 422, "invalid"),
        (6, 422, "invalid"), (7, 422, "invalid"), (8, 400, "idempotency_key_required"), (9, 400, "malformed"),
        (10, 400, "malformed"), (11, 422, "invalid"), (12, 413, "too_large"), (13, 409, "price_changed"),
        (14, 202, None), (15, 422, "invalid"), (16, 422, "invalid"), (17, 202, None),
        (18, 422, "idempotency_conflict"),
    ]  # fmt: skip
    assert found[0]["order_id"] == found[16]["order_id"] != found[1]["order_id"]
    assert (found[16]["replayed"], "replayed" in found[0]) == (True, False)
    assert found[4]["problem"]["errors"] == [{"field": "customer_id", "problem": "is required"}]
    assert found[12]["problem"]["total"] == 100
    alone = await sale.post("sale", key="one", customer_id="ann", metadata={"cart": "1"})
    assert alone.headers["Idempotency-Replayed"] == "true"
    told = {name: value for name, value in alone.json().items() if name not in ("sale_id", "status")}
    assert {name: found[0][name] for name in told} == told
    refused = (await sale.post("sale", key="one", customer_id="ann", metadata={"cart": "2"})).json()
    ours = found[17]["problem"]
    assert {**ours, "instance": ""} == {**refused, "instance": ""}


async def test_a_batch_may_be_sent_again_and_each_order_is_drained_once(sale: Intake, shop: Shop) -> None:
    lines = [order(f"again-{number}", customer_id=f"c-{number}") for number in range(40)]
    first, again = await post(sale, *lines), await post(sale, *lines, "", order("new"))
    ids = [one["order_id"] for one in first]
    assert len(set(ids)) == 40
    assert [one["order_id"] for one in again[:-1]] == ids
    assert all(one["replayed"] for one in again[:-1])
    assert said(again[-1]) == (42, 202, None)  # the blank line counts
    for partition in range(PARTITIONS):
        await shop.drain(partition)
    assert await shop.db.fetchval("select count(*) from orders") == 41
    shown = (await sale.http.get(first[3]["links"]["self"])).json()
    assert (shown["status"], shown["customer_id"]) == ("pending", "c-3")


async def test_what_goes_with_it_is_one_group_commit_a_partition(
    sale: Intake, orders_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await orders_redis.info("commandstats")
    found = await post(sale, *(order(customer_id=f"c-{number}") for number in range(100)))
    assert Counter(one["status"] for one in found) == {202: 100}
    after = await orders_redis.info("commandstats")

    def calls(info: dict[str, Any]) -> int:
        return sum(info.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("evalsha", "eval"))

    assert 1 <= calls(after) - calls(before) <= PARTITIONS + 1  # the script may have to be sent once


async def test_what_is_sold_out_or_shut_is_told_a_line(sale: Intake, shop: Shop) -> None:
    await post(sale, *(order(lines=[{"product_id": "rug", "quantity": 50}], customer_id="first") for _ in range(1)))
    await shop.drain()
    (await sale.ops.post("/ops/sales/sale/hold")).raise_for_status()
    held = await post(sale, order("held"), order())
    assert [said(one) for one in held] == [(1, 409, "sale_not_open"), (2, 409, "sale_not_open")]
    assert held[0]["problem"]["phase"] == "hold"
    (await sale.ops.post("/ops/sales/sale/resume")).raise_for_status()
    assert said((await post(sale, order("held")))[0]) == (1, 202, None)


async def test_a_full_backlog_says_when_to_come_again(serve: Serve) -> None:
    intake = await serve(backlog_max=3, retry_after_s=7)
    await intake.open_sale()
    found = await post(intake, *(order(f"full-{number}") for number in range(5)))
    assert [said(one)[1:] for one in found] == [(202, None)] * 3 + [(503, "overloaded")] * 2
    assert [one.get("retry_after_s") for one in found] == [None] * 3 + [7] * 2


async def test_a_room_asks_each_line_for_its_admission(serve: Serve, room_redis_url: str) -> None:
    key = "a-storefront-key-for-tests"
    intake = await serve(room_redis_url=room_redis_url, storefront_keys=key)
    await open_room(intake)
    visitor = Visitor(intake, "sale", "visitor-one", {"customer_id": "ann"})
    await visitor.join(headers={"X-Storefront-Key": key})
    token = await visitor.admitted()
    lines = [
        order("r-1", customer_id="ann", admission=token), order("r-2", customer_id="ann"),
        order("r-3", customer_id="bob", admission=token), order("r-4", customer_id="ann", admission="x.y"),
        order("r-1", customer_id="ann", admission=token), order("r-5", customer_id="ann", admission=token),
    ]  # fmt: skip
    found = await post(intake, *lines, headers={"X-Storefront-Key": key})
    assert [said(one)[1:] for one in found] == [
        (202, None), (401, "admission_required"), (403, "admission_invalid"), (403, "admission_invalid"),
        (202, None), (409, "admission_spent"),
    ]  # fmt: skip
    assert found[4]["replayed"]
    assert found[1]["problem"]["room"] == "/sales/sale/wait"


async def test_lines_are_counted_as_posts_are(sale: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    take = held_back(sale, monkeypatch)

    def counted(text: str) -> dict[str, float]:
        rows = [line.rpartition(" ") for line in text.splitlines() if line.startswith("doorbuster_")]
        wanted = (
            'doorbuster_orders_by_path_total{path="batch"}',
            'doorbuster_orders_total{verdict="accepted"}',
            'doorbuster_refusals_total{code="malformed"}',
        )
        found = {name: float(value) for name, _, value in rows}
        return {name: found.get(name, 0.0) for name in wanted}

    before = counted((await sale.http.get("/metrics")).text)
    await post(sale, order(), "{", order())
    after = counted((await sale.http.get("/metrics")).text)
    assert [after[name] - before[name] for name in before] == [3, 2, 1]
    (taken,) = take().values()
    assert (taken["offered"], taken["malformed"]) == (3, 1)


def held_back(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> Callable[[], dict[int, dict[str, int]]]:
    """Keep what the process counts of its sales from being told every second; return what takes it."""
    counts = intake.guard.fast_order_post._sales.counts  # type: ignore[union-attr]
    take: Callable[[], dict[int, dict[str, int]]] = counts.take
    take()
    monkeypatch.setattr(counts, "take", dict)
    return take


@pytest.mark.parametrize("is_chunked", [True, False])
async def test_a_batch_that_breaks_off_is_not_taken_in_part(
    sale: Intake, orders_redis: Redis, is_chunked: bool
) -> None:
    whole = [json.dumps(order(f"cut-{number}")) for number in range(10)]
    came = "\n".join(whole[:5]).encode() + b"\n"
    number = (await sale.ops.get("/ops/sales/sale")).json()["sale_number"]
    await break_off(sale, "POST", WHERE, came, headers=LINES, is_chunked=is_chunked)
    assert await _entries(orders_redis, number) == 0
    assert [one.get("replayed", False) for one in await post(sale, *whole)] == [False] * 10
    assert await _entries(orders_redis, number) == 10


async def _entries(orders_redis: Redis, number: int) -> int:
    return sum([await orders_redis.xlen(keys.stream(number, partition)) for partition in range(PARTITIONS)])


def _example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("example_batch", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


async def test_the_example_sends_all_and_sends_again_what_may_be_taken_later(
    sale: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    example, texts = _example(), [json.dumps(order(f"file-{number}")) for number in range(300)]
    answers = itertools.count()

    def flaky(request: httpx.Request) -> httpx.Response:
        turn = next(answers)
        if turn == 0:
            return httpx.Response(503)
        if turn == 1:
            raise httpx.ReadError("lost")
        with httpx.Client(base_url=sale.http.base_url, trust_env=False) as plain:
            return plain.send(plain.build_request(request.method, request.url, content=request.content, headers=LINES))

    monkeypatch.setattr(example, "WAIT_S", 0.01)
    client = httpx.Client(base_url=sale.http.base_url, transport=httpx.MockTransport(flaky))
    found = await asyncio.to_thread(lambda: list(example.verdicts_of(client, "sale", iter([*texts, "\n", "{"]))))
    assert [one["line"] for one in found] == [*range(1, 301), 302]
    assert Counter(one["status"] for one in found) == {202: 300, 400: 1}
