"""`GET /ops/status` and `doorbuster status`: every store and worker, what is amiss, within seconds whatever is away."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis

from doorbuster.cli.app import run
from tests.fixtures.intake import Intake, Serve
from tests.fixtures.staff import say_alive
from tests.fixtures.up import clean_environment

AWAY = "redis://127.0.0.1:1/0"


async def look(intake: Intake) -> dict[str, Any]:
    answer = await intake.ops.get("/ops/status")
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


async def test_it_shows_stores_workers_sales_and_backlog(intake: Intake, jobs_redis: Redis) -> None:
    await say_alive(jobs_redis)
    await intake.open_sale("now", "lamp")
    await intake.open_sale("later", starts_at="2098-01-01T00:00:00Z")
    await intake.post("now", lines=[{"product_id": "lamp", "quantity": 1}])
    said = await look(intake)
    assert (said["ok"], said["troubles"]) == (True, [])
    assert [one["name"] for one in said["stores"]] == ["postgres", "orders_store", "room_store", "jobs_store", "cache"]
    assert all(one["age_s"] >= 0 and one["took_ms"] >= 0 for one in said["stores"])
    assert [(one["role"], one["name"]) for one in said["processes"]] == [("worker", "here-1"), ("scheduler", "here-2")]
    assert [(one["sale_id"], one["phase"], one["backlog"]) for one in said["sales"]] == [
        ("now", "open", 1), ("later", "scheduled", 0),
    ]  # fmt: skip
    assert said["work"]["backlog"] == 1


async def test_without_workers_it_says_what_does_not_happen(intake: Intake) -> None:
    said = await look(intake)
    assert said["ok"] is False
    assert [text.partition(":")[0] for text in said["troubles"]] == ["no worker runs", "no scheduler runs"]


async def test_a_silent_worker_is_trouble(intake: Intake, jobs_redis: Redis) -> None:
    await say_alive(jobs_redis, seconds_ago=100)
    troubles = (await look(intake))["troubles"]
    assert any(text.startswith("worker here-1: said nothing for 10") for text in troubles)
    assert any(text.startswith("scheduler here-2: said nothing for 10") for text in troubles)


@pytest.mark.parametrize(
    ("setting", "store", "words"),
    [
        ("room_redis_url", "room_store", "the room's store does not answer"),
        ("cache_redis_url", "cache", "the cache does not answer"),
        ("jobs_redis_url", "jobs_store", "the jobs store does not answer"),
        ("orders_redis_url", "orders_store", "the order store does not answer"),
    ],
)
async def test_a_store_that_is_away_is_named(
    serve: Serve, jobs_redis: Redis, setting: str, store: str, words: str
) -> None:
    await say_alive(jobs_redis)
    said = await look(await serve(**{setting: AWAY}))
    assert said["ok"] is False
    [away] = [one for one in said["stores"] if not one["ok"]]
    assert away["name"] == store
    assert words in away["reason"]
    assert any(text.startswith(words) for text in said["troubles"])


async def test_the_command_exits_1_and_names_the_trouble(
    serve: Serve, jobs_redis: Redis, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    await say_alive(jobs_redis)
    intake = await serve(cache_redis_url=AWAY)
    key = intake.ops.headers["Authorization"].removeprefix("Bearer ")
    monkeypatch.setattr("os.environ", clean_environment(OPS_URL=str(intake.ops.base_url), OPS_KEY=key))
    assert await asyncio.to_thread(run, ["status"]) == 1
    said = capsys.readouterr().out
    assert "trouble: the cache does not answer: NotConnectedError" in said
    assert "scheduler here-2" in said
