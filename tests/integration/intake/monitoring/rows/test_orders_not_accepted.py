"""Rows of OrdersNotAccepted: the order store is not as it must be, is away, or late; gates or the intake are missing."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import httpx
import pytest

from doorbuster import keys
from doorbuster.embedded.processes import spawn
from doorbuster.embedded.stores.valkey import Valkey
from doorbuster.ports import reserve
from tests.fixtures.intake import Intake
from tests.fixtures.night import Night
from tests.fixtures.runbook_rows import Row
from tests.fixtures.waiting import eventually, wait_until

NAME = "OrdersNotAccepted"
LAMP = [{"product_id": "lamp", "quantity": 1}]


async def _code(intake: Intake, sale: str = "sale") -> str:
    answer = await intake.post(sale, lines=LAMP)
    return str(answer.json().get("code", answer.status_code))


async def _is(intake: Intake, wanted: str) -> bool:
    return await _code(intake) == wanted


@pytest.mark.walks(NAME, "`durability` fails with a reason")
@pytest.mark.parametrize(
    ("setting", "wrong", "mends"),
    [
        ("appendfsync", "everysec", "orders CONFIG SET appendfsync always"),
        ("maxmemory-policy", "allkeys-lru", "orders CONFIG SET maxmemory-policy noeviction"),
    ],
)
async def test_not_durable(row: Row, setting: str, wrong: str, mends: str) -> None:
    night, right = row.night, (await row.night.shop.orders.config_get(setting))[setting]
    await night.shop.orders.config_set(setting, wrong)
    try:
        await eventually(lambda: _is(night.intake, "store_unavailable"), what="posts to be refused")
        said = await row.looks("curl -s $OPS_URL/readyz")
        assert f'"durability":{{"ok":false,"reason":"{setting} is {wrong}, must be {right}"' in said
        await row.does(mends)
        await eventually(lambda: _is(night.intake, "202"), what="posts to be accepted")
    finally:
        await night.shop.orders.config_set(setting, right)
    assert '"durability":{"ok":true' in await row.looks("curl -s $OPS_URL/readyz")


@pytest.mark.walks(NAME, "`orders_store` fails")
async def test_the_order_store_is_down(row: Row, stores_folder: Path) -> None:
    night = row.night
    store = Valkey("orders", stores_folder / "own", stores_folder / "logs" / "own.log", port=reserve(), password="own")
    store.prepare()
    server = spawn(store.command({"PATH": os.environ["PATH"]}))
    try:
        wait_until(store.is_ready, within_s=60, what="the order store to serve")
        intake = await night.serve(orders_redis_url=store.url, store_timeout_s=1.0, durability_check_s=0.1)
        night.person.env |= {"OPS_URL": str(intake.ops.base_url).rstrip("/"), "ORDERS_REDIS_URL": store.url}
        kept = await intake.post("sale", key="kept", lines=LAMP)
        assert kept.status_code == 202
        server.send_signal(signal.SIGKILL)
        server.wait(10)
        assert await _code(intake) == "store_unavailable"
        said = await row.looks("curl -s $OPS_URL/readyz", "orders INFO persistence")
        assert '"orders_store":{"ok":false,"reason":"the order store does not answer' in said
        assert "Connection refused" in said
        server = spawn(store.command({"PATH": os.environ["PATH"]}))  # with its data
        await eventually(lambda: _is(intake, "202"), what="posts to be accepted")
        again = await intake.post("sale", key="kept", lines=LAMP)
        assert again.json()["order_id"] == kept.json()["order_id"]
        assert again.headers["idempotency-replayed"] == "true", "what was accepted is kept"
        assert "'loading': 0" in await row.looks("orders INFO persistence")
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait(10)


@pytest.mark.walks(NAME, "both are well, `unknown` grows")
async def test_the_order_store_answers_late(row: Row) -> None:
    night = row.night
    hasty = await night.serve(store_timeout_s=0.1)
    night.person.env["OPS_URL"] = str(hasty.ops.base_url).rstrip("/")
    assert await _code(hasty) == "202"
    # As on a disk that is slow: what is written takes its time, what is read does not.
    await night.shop.orders.execute_command("CLIENT", "PAUSE", "60000", "WRITE")
    try:
        assert await _code(hasty) == "store_unavailable"
        said = await row.looks("curl -s $OPS_URL/readyz", "curl -s $OPS_URL/metrics")
        assert '"orders_store":{"ok":true' in said
        assert '"durability":{"ok":true' in said
        assert 'doorbuster_orders_total{verdict="unknown"} 1.0' in said
        patient = await night.serve(store_timeout_s=30)
        late = asyncio.create_task(_code(patient))
        await eventually(lambda: _blocked(night), what="the store to hold the order back")
    finally:
        await night.shop.orders.execute_command("CLIENT", "UNPAUSE")
    assert await late == "202", "raised, STORE_TIMEOUT_S outlasts it"


async def _blocked(night: Night) -> bool:
    return bool((await night.shop.orders.info("clients"))["blocked_clients"])


@pytest.mark.walks(NAME, "`no_gate` grows")
async def test_a_gate_cannot_be_published(row: Row) -> None:
    night = row.night
    await night.shop.orders.config_set("maxmemory", 1)
    try:
        await night.shop.orders.delete(keys.gate(night.shop.sale_number, 0))
        assert await _code(night.intake) == "store_unavailable"
        said = await row.looks("curl -s $OPS_URL/metrics")
        assert 'doorbuster_orders_total{verdict="no_gate"} 1.0' in said
        assert 'doorbuster_orders_total{verdict="unknown"} 0.0' in said, "nobody has to doubt whether it was accepted"
        assert "a gate could not be published" in row.log
        assert "OutOfMemoryError: command not allowed" in row.log, "and why"
    finally:
        await night.shop.orders.config_set("maxmemory", 0)
    assert await _code(night.intake) == "202"


@pytest.mark.walks(NAME, "nothing answers")
async def test_no_intake_runs(row: Row) -> None:
    night = row.night
    night.person.env["INTAKE_BIND"] = f"127.0.0.1:{night.intake.port}"
    night.intake.stop()
    await eventually(lambda: _answers(night, wanted=False), what="the intake to end")
    assert await row.looks("curl -s $OPS_URL/readyz") == ""
    row.starts("gunicorn -c python:intake.gunicorn_conf")
    await eventually(lambda: _answers(night, wanted=True), within_s=30, what="an intake to answer")
    assert '"status":"ready"' in await row.looks("curl -s $OPS_URL/readyz")
    assert await night.order() == "202"


async def _answers(night: Night, *, wanted: bool) -> bool:
    try:
        return (await night.intake.http.get("/readyz")).is_success is wanted
    except httpx.TransportError:
        return not wanted
