"""Rows of 503 `overloaded`: the drain is behind, the processes are full, the order store is."""

from __future__ import annotations

import asyncio

import pytest

from tests.fixtures.intake import Intake
from tests.fixtures.proxy import Proxy
from tests.fixtures.runbook_rows import Row
from tests.fixtures.waiting import eventually

NAME = "Posts get 503 `overloaded`"
BACKLOG = "`doorbuster_backlog_orders` near `BACKLOG_MAX`, or `doorbuster_backlog_bytes` near `BACKLOG_MAX_MB`"
LAMP = [{"product_id": "lamp", "quantity": 1}]
METRICS = "curl -s $OPS_URL/metrics"


async def _code(intake: Intake, **more: object) -> str:
    answer = await intake.post("sale", lines=LAMP, **more)
    return str(answer.json().get("code", answer.status_code))


@pytest.mark.walks(NAME, BACKLOG)
async def test_the_drain_is_behind(row: Row) -> None:
    intake = row.asks(await row.night.serve(backlog_max=2))
    assert [await _code(intake) for _ in range(3)] == ["202", "202", "overloaded"]
    assert 'doorbuster_backlog_orders{partition="0",sale="sale"} 2.0' in await row.looks(METRICS)
    await row.night.shop.drain()
    assert await _code(intake) == "202"
    assert 'doorbuster_backlog_orders{partition="0",sale="sale"} 1.0' in await row.looks(METRICS)


@pytest.mark.walks(NAME, BACKLOG)
async def test_the_drain_is_behind_in_bytes(row: Row) -> None:
    intake = row.asks(await row.night.serve(backlog_max_mb=1))
    (await intake.ops.post("/ops/products/lamp/stock", json={"receive": 200})).raise_for_status()
    large = {"metadata": {"note": "x" * 8_000}}
    codes = await asyncio.gather(*(_code(intake, **large) for _ in range(150)))
    assert {*codes} == {"202", "overloaded"}
    said = await row.looks(METRICS)
    held = next(line for line in said.splitlines() if line.startswith("doorbuster_backlog_bytes{"))
    assert float(held.split()[-1]) > 0.98 * 2**20
    await row.night.shop.drain()
    assert await _code(intake, **large) == "202"


@pytest.mark.walks(NAME, "`doorbuster_in_flight` near `IN_FLIGHT_MAX`")
async def test_the_processes_are_full(row: Row) -> None:
    night = row.night
    with Proxy(night.shop.settings.orders_redis_url.get_secret_value()) as line:
        full = row.asks(await night.serve(in_flight_max=2, orders_redis_url=line.url, store_timeout_s=30))
        full.http.timeout = None  # the test holds posts back for as long as it looks
        assert await _code(full) == "202"
        line.lose_reply_to(b"EVALSHA")
        held = [asyncio.create_task(_code(full)) for _ in range(2)]

        async def is_full() -> bool:
            return full.guard.in_flight == 2

        await eventually(is_full, what="two posts to be in work")
        assert await _code(full) == "overloaded"
        assert "doorbuster_in_flight 3.0" in await row.looks(METRICS), "the look itself is one"
        assert await _code(await night.serve()) == "202", "another process takes what this one cannot"
        line.reset()
        await asyncio.gather(*held)
        # Another connection that was ended may be found to be so by the next post alone.
        await eventually(lambda: _is(full, "202"), what="posts to be accepted")


@pytest.mark.walks(NAME, "`doorbuster_order_store_memory_ratio` at 0.9")
async def test_the_order_store_is_full(row: Row) -> None:
    night, orders = row.night, row.night.shop.orders
    intake = row.asks(await night.serve(order_store_max_mb=64))
    await orders.execute_command("SETRANGE", "ballast", 64 * 2**20, "x")
    try:
        await eventually(lambda: _is(intake, "overloaded"), what="posts to be refused")
        said = await row.looks(METRICS)
        full = next(line for line in said.splitlines() if line.startswith("doorbuster_order_store_memory_ratio "))
        assert float(full.split()[-1]) >= 0.9
        assert "orders are refused, the order store is full" in row.log
        assert (await intake.http.get("/readyz")).json()["checks"]["orders_store"]["ok"] is False
        wider = await night.serve(order_store_max_mb=1024)
        assert await _code(wider) == "202"
        # Without that setting it is the server that says no, until it has more.
        await orders.config_set("maxmemory", 2**20)
        assert await _code(wider) == "store_unavailable"
        assert "OutOfMemoryError: command not allowed" in row.log
        await row.does("orders CONFIG SET maxmemory 1gb")
        assert await _code(wider) == "202"
    finally:
        await orders.config_set("maxmemory", 0)
        await orders.delete("ballast")
    await eventually(lambda: _is(intake, "202"), what="posts to be accepted")


async def _is(intake: Intake, wanted: str) -> bool:
    return await _code(intake) == wanted
