"""Pre-warm: go or no-go with each check and its figure, and the sale's products in the shared cache afterwards."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio import Redis

from db.pool import Connection
from doorbuster import keys
from tests.fixtures.intake import Intake, Serve

AWAY = "redis://127.0.0.1:1/0"


async def prewarm(intake: Intake, sale: str = "one") -> dict[str, Any]:
    answer = await intake.ops.post(f"/ops/sales/{sale}/prewarm")
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


async def test_it_fills_the_cache_and_says_go_with_each_figure(intake: Intake, jobs_redis: Redis) -> None:
    await intake.open_sale("one", "lamp", "tent", room={"mode": "always"})
    await jobs_redis.delete(*[keys.catalogue(f"product/{one}") for one in ("lamp", "tent")])
    said = await prewarm(intake)
    assert said["go"] is True, said
    checks = said["checks"]
    wanted = {"postgres", "orders_store", "durability", "sale", "room", "cache", "replicas", "jobs_store"}
    assert checks.keys() == wanted
    assert all(check["ok"] for check in checks.values())
    assert (checks["sale"]["phase"], checks["room"]["mode"], checks["replicas"]["configured"]) == ("open", "always", 0)
    assert (checks["cache"]["products"], checks["cache"]["filled"]) == (2, 2)
    for product in ("lamp", "tent"):
        assert await jobs_redis.hexists(keys.catalogue(f"product/{product}"), "item")


@pytest.mark.parametrize(("verb", "phase"), [("close", "closed"), ("drain", "drain")])
async def test_a_sale_that_takes_no_more_is_no_go(intake: Intake, verb: str, phase: str) -> None:
    await intake.open_sale("one")
    await intake.ops.post(f"/ops/sales/one/{verb}")
    said = await prewarm(intake)
    assert (said["go"], said["checks"]["sale"]["ok"], said["checks"]["sale"]["phase"]) == (False, False, phase)
    assert "reason" in said["checks"]["sale"]


async def test_a_sale_that_has_ended_is_no_go_and_one_to_come_is_go(intake: Intake, db: Connection) -> None:
    await intake.open_sale("one", ends_at="2099-01-01T00:00:00Z")
    await db.execute("update sales set starts_at = now() - interval '2 hours', ends_at = now() - interval '1 hour'")
    said = await prewarm(intake)
    assert (said["go"], said["checks"]["sale"]["phase"]) == (False, "ended")
    await intake.open_sale("later", starts_at="2099-01-01T00:00:00Z")
    said = await prewarm(intake, "later")
    assert (said["go"], said["checks"]["sale"]["phase"]) == (True, "scheduled")


@pytest.mark.parametrize(
    ("setting", "check"), [("cache_redis_url", "cache"), ("jobs_redis_url", "jobs_store"), ("room_redis_url", "room")]
)
async def test_a_store_that_is_away_is_no_go(serve: Serve, setting: str, check: str) -> None:
    intake = await serve(**{setting: AWAY})
    await intake.open_sale("one", room={"mode": "always"})
    said = await prewarm(intake)
    assert said["go"] is False
    assert {name for name, one in said["checks"].items() if not one["ok"]} == {check}
    assert said["checks"][check]["reason"]


async def test_a_replica_that_cannot_be_read_is_no_go(serve: Serve) -> None:
    intake = await serve(replica_urls=("postgresql://nobody@127.0.0.1:1/none",))
    await intake.open_sale("one")
    said = await prewarm(intake)
    [replica] = said["checks"]["replicas"]["servers"]
    assert (said["go"], said["checks"]["replicas"]["ok"], replica["usable"]) == (False, False, False)
    assert replica["lag_ms"] is None


async def test_what_an_order_would_meet_is_shown_beside_the_stored_phase(intake: Intake, db: Connection) -> None:
    async def phases(sale: str) -> tuple[str, str]:
        shown = (await intake.ops.get(f"/ops/sales/{sale}")).json()
        return shown["phase"], shown["effective_phase"]

    await intake.open_sale("later", starts_at="2098-01-01T00:00:00Z", ends_at="2099-01-01T00:00:00Z")
    assert await phases("later") == ("open", "scheduled")
    await db.execute("update sales set starts_at = now() - interval '2 hours'")
    assert await phases("later") == ("open", "open")
    await db.execute("update sales set ends_at = now() - interval '1 hour'")
    assert await phases("later") == ("open", "ended")
    for verb, phase in (("hold", "hold"), ("drain", "drain"), ("close", "closed")):
        await intake.ops.post(f"/ops/sales/later/{verb}")
        assert await phases("later") == (phase, phase)
