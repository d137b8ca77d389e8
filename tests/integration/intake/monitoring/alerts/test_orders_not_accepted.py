"""Rows of OrdersNotAccepted: the order store is not as it must be, away, or late; a gate or the intake is missing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from doorbuster import keys
from tests.fixtures.intake import Intake
from tests.fixtures.night import Night
from tests.fixtures.own_store import own_store
from tests.fixtures.runbook_rows import Row
from tests.fixtures.waiting import eventually

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
    with own_store("orders", stores_folder) as store:
        row.night.person.env["ORDERS_REDIS_URL"] = store.url
        intake = row.asks(await row.night.serve(orders_redis_url=store.url, store_timeout_s=2, durability_check_s=0.1))
        kept = await intake.post("sale", key="kept", lines=LAMP)
        assert kept.status_code == 202
        store.end()
        assert await _code(intake) == "store_unavailable"
        said = await row.looks("curl -s $OPS_URL/readyz", "orders INFO persistence")
        assert '"orders_store":{"ok":false,"reason":"the order store does not answer' in said
        assert "Connection refused" in said
        store.start()
        await eventually(lambda: _is(intake, "202"), what="posts to be accepted")
        again = await intake.post("sale", key="kept", lines=LAMP)
        assert again.json()["order_id"] == kept.json()["order_id"]
        assert again.headers["idempotency-replayed"] == "true", "what was accepted is kept"
        assert "'loading': 0" in await row.looks("orders INFO persistence")


@pytest.mark.walks(NAME, "both are well, `unknown` grows")
async def test_the_order_store_answers_late(row: Row) -> None:
    night = row.night
    hasty = row.asks(await night.serve(store_timeout_s=2))
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
    await eventually(lambda: _refuses(night), what="the intake to end")
    assert await row.looks("curl -s $OPS_URL/readyz") == ""
    row.starts("gunicorn -c python:intake.gunicorn_conf")
    await eventually(lambda: _answers(night), within_s=60, what="an intake to answer")
    await eventually(lambda: _is(night.intake, "202"), what="posts to be accepted")
    assert '"status":"ready"' in await row.looks("curl -s $OPS_URL/readyz")


async def _refuses(night: Night) -> bool:
    try:
        (await asyncio.open_connection("127.0.0.1", night.intake.port))[1].close()
    except ConnectionRefusedError:
        return True
    return False


async def _answers(night: Night) -> bool:
    """Say whether a process serves: its master takes connections long before."""
    try:
        return (await night.intake.http.get("/healthz")).is_success
    except httpx.TransportError:
        return False
