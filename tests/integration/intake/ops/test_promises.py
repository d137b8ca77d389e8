"""`GET /ops/promises`: what the audit finds, one at a time, bounded in time."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from db.audit import promises as audit
from db.connections.pool import connect
from intake.ops.report import promises
from tests.fixtures.up import doorbuster

if TYPE_CHECKING:
    from db.connections.pool import Connection
    from doorbuster.settings import Settings
    from tests.fixtures.intake import Intake


async def test_it_says_what_the_command_prints(intake: Intake, db: Connection, settings: Settings) -> None:
    await intake.make_product(units=3)
    await intake.open_sale()
    assert (await intake.post("sale")).status_code == 202
    shown = (await intake.ops.get("/ops/promises")).json()
    urls = {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "ORDERS_REDIS_URL": settings.orders_redis_url.get_secret_value(),
    }
    printed = json.loads((await asyncio.to_thread(doorbuster, "audit", "--json", env=urls)).stdout)
    for report in (shown, printed):
        assert {"at", "took_ms"} <= report.keys()
        del report["at"], report["took_ms"]
    assert shown == printed
    assert shown["breaches"] == 0
    accepted = next(one for one in shown["figures"] if one["what"] == "entries the order store accepted")
    assert accepted == {
        "promise": "P1", "what": "entries the order store accepted", "value": 1, "breaches": 0, "verdict": "holds",
    }  # fmt: skip
    await db.execute("alter table stock drop constraint stock_ledger_balances")
    await db.execute("update stock set sold = sold + 1 where product_id = 'hot'")
    broken = await intake.ops.get("/ops/promises")
    assert broken.status_code == 200
    assert {one["promise"] for one in broken.json()["figures"] if one["verdict"] == "broken"} == {"P2"}
    await db.execute("update stock set sold = sold - 1 where product_id = 'hot'")


async def test_one_audit_runs_at_a_time(intake: Intake, settings: Settings) -> None:
    other = await connect(settings.database_url.get_secret_value())
    try:
        async with other.transaction():
            assert await audit.take_turn(other)
            refused = await intake.ops.get("/ops/promises")
        assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
        assert refused.headers["Retry-After"] == "5"
    finally:
        await other.close()
    answers = await asyncio.gather(*(intake.ops.get("/ops/promises") for _ in range(5)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["at"] for answer in answers}) < len(answers), "no audit was shared"


async def test_its_time_is_bounded(intake: Intake, db: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promises, "LOOK_S", 0.5)
    async with db.transaction():
        await db.execute("lock table stock in access exclusive mode")
        refused = await intake.ops.get("/ops/promises")
    assert (refused.status_code, refused.json()["code"]) in {(503, "overloaded"), (503, "store_unavailable")}
    assert int(refused.headers["Retry-After"]) >= 1


async def test_a_key_to_view_may_ask_and_nobody_without(intake: Intake) -> None:
    key = (await intake.ops.post("/ops/keys", json={"name": "shop floor", "role": "view"})).json()["key"]
    viewer = {"Authorization": f"Bearer {key}"}
    assert (await intake.http.get("/ops/promises", headers=viewer)).status_code == 200
    assert (await intake.http.get("/ops/promises")).status_code == 401
    assert (await intake.ops.get("/ops/promises?x=1")).status_code == 422
