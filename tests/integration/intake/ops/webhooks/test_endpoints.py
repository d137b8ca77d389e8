"""Endpoints of webhooks as ops keep them: made, shown without secrets, rotated, deleted; wrong ones refused by name."""

from __future__ import annotations

import base64
import logging
from typing import Any

import pytest

from db.connections.pool import Connection
from tests.fixtures.intake import Intake, Serve

URL = "https://shop.example/hooks"


async def make(intake: Intake, **body: Any) -> dict[str, Any]:
    answer = await intake.ops.post("/ops/webhooks", json={"url": URL} | body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/ops/webhooks/{made['webhook_id']}"
    return made


def path(made: dict[str, Any], verb: str = "") -> str:
    return f"/ops/webhooks/{made['webhook_id']}{verb}"


async def test_the_secret_is_shown_once_and_never_logged(intake: Intake, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    made = await make(intake, events=["order.confirmed"], description="the shop")
    assert set(made) == {"webhook_id", "secret"}
    assert made["secret"].startswith("whsec_")
    assert 24 <= len(base64.b64decode(made["secret"].removeprefix("whsec_"), validate=True)) <= 64
    shown = (await intake.ops.get(path(made))).json()
    assert (shown["url"], shown["events"], shown["description"]) == (URL, ["order.confirmed"], "the shop")
    assert (shown["state"], shown["failures"]) == ("active", 0)
    listed = (await intake.ops.get("/ops/webhooks")).json()["items"]
    assert listed == [shown]
    rotated = (await intake.ops.post(path(made, "/rotate"))).json()
    assert rotated["secret"] != made["secret"]
    assert rotated["former_secret_until"] > shown["created_at"]
    log = (await intake.ops.get("/ops/audit")).text
    for text in (log, str(listed), (await intake.ops.get(path(made))).text, caplog.text):
        assert made["secret"] not in text
        assert rotated["secret"] not in text
    assert [one["action"] for one in (await intake.ops.get("/ops/audit")).json()["items"]] == ["rotate", "create"]


async def test_a_deleted_one_is_gone(intake: Intake) -> None:
    made = await make(intake)
    assert (await intake.ops.delete(path(made))).status_code == 204
    for method, verb in (("GET", ""), ("DELETE", ""), ("POST", "/rotate"), ("POST", "/test"), ("GET", "/deliveries")):
        answer = await intake.ops.request(method, path(made, verb))
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert (await intake.ops.get("/ops/webhooks")).json() == {"items": []}
    assert (await intake.ops.get("/ops/webhooks/none")).status_code == 404


@pytest.mark.parametrize(
    "url",
    [
        "ftp://shop.example/", "shop.example/hooks", "https://", "https:///hooks", "https://user@shop.example/",
        "https://user:word@shop.example/", "https://shop.example:0/", "https://shop.example:70000/",
        "https://shop.example:x/", "https://shop.example/#part", "https://shop.example/a b", "https://sh\u00f6p.example/",
        "http://127.0.0.1/", "http://10.0.0.1:8080/", "https://169.254.169.254/latest", "https://[::1]/",
        "https://[::ffff:127.0.0.1]/", "https://[64:ff9b::7f00:1]/", "http://2130706433/", "http://0x7f.1/",
        "http://0/", "http://localhost:9000/", "http://LOCALHOST./", "http://shop.localhost/", "http://[fe80::1%25eth0]/",
        "", "https://shop.example/" + "a" * 2048, "https://shop.example:/", "http://./",
    ],
)  # fmt: skip
async def test_a_url_that_nothing_may_be_sent_to_is_refused(intake: Intake, url: str) -> None:
    answer = await intake.ops.post("/ops/webhooks", json={"url": url})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), url
    assert [one["field"] for one in answer.json()["errors"]] == ["url"]
    assert (await intake.ops.get("/ops/webhooks")).json() == {"items": []}


async def test_private_addresses_are_taken_where_they_are_allowed(serve: Serve) -> None:
    intake = await serve(webhook_allow_private=True)
    for url in ("http://127.0.0.1:9000/", "http://[::1]/", "http://localhost/"):
        await make(intake, url=url)
    assert (await intake.ops.post("/ops/webhooks", json={"url": "http://0x7f.1/"})).status_code == 422


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"events": ["order.confirmed", "order.vanished"]}, "events[1]"), ({"events": []}, "events"),
        ({"events": ["webhook.test"]}, "events[0]"), ({"events": "order.confirmed"}, "events"),
        ({"colour": 1}, "colour"),
        ({"description": "a" * 201}, "description"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_named(intake: Intake, body: dict[str, Any], field: str) -> None:
    answer = await intake.ops.post("/ops/webhooks", json={"url": URL} | body)
    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["errors"]] == [field]
    if "order.vanished" in str(body):
        assert "order.vanished" in answer.text


async def test_tests_replays_and_the_log(intake: Intake, db: Connection) -> None:
    made = await make(intake)
    sent = await intake.ops.post(path(made, "/test"))
    assert sent.status_code == 202
    (line,) = (await intake.ops.get(path(made, "/deliveries"))).json()["items"]
    assert (line["delivery_id"], line["event_id"]) == (sent.json()["delivery_id"], sent.json()["event_id"])
    assert (line["type"], line["state"], line["attempts"], line["next_try_at"]) == ("webhook.test", "due", 0, None)
    assert (await intake.ops.get(path(made, "/deliveries?state=dead"))).json() == {"items": []}
    assert (await intake.ops.get(path(made, "/deliveries?state=odd"))).status_code == 422
    asked = {"since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z"}
    replay = await intake.ops.post(path(made, "/replay"), json=asked)
    assert (replay.status_code, replay.json()["until"]) == (202, asked["until"])
    for wrong, field in (
        ({}, "since"), (asked | {"until": asked["since"]}, "until"), (asked | {"order_id": "x"}, "order_id"),
        (asked | {"since": "soon"}, "since"),
    ):  # fmt: skip
        answer = await intake.ops.post(path(made, "/replay"), json=wrong)
        assert [one["field"] for one in answer.json()["errors"]] == [field]
    resumed = await intake.ops.post(path(made, "/resume"))
    assert resumed.json()["state"] == "active"


async def test_pages_of_the_list(intake: Intake) -> None:
    made = [await make(intake, description=str(number)) for number in range(5)]
    first = (await intake.ops.get("/ops/webhooks?limit=2")).json()
    rest = (await intake.ops.get(f"/ops/webhooks?limit=500&cursor={first['next_cursor']}")).json()
    shown = [one["webhook_id"] for one in first["items"] + rest["items"]]
    assert shown == [one["webhook_id"] for one in reversed(made)]


async def test_a_paused_one_is_told_of_in_status_and_metrics(intake: Intake, db: Connection) -> None:
    made, other = await make(intake), await make(intake)
    await db.execute("update webhooks set state = 'paused' where webhook_id = $1", made["webhook_id"])
    await db.execute(
        "insert into webhook_deliveries (webhook_id, event_id, type, subject, position, at)"
        " values ($1, 'e', 'order.pending', 's', 1, now() - interval '90 s')",
        other["webhook_id"],
    )
    status = (await intake.ops.get("/ops/status")).json()
    assert f"the webhook {made['webhook_id']} is paused" in status["troubles"]
    assert URL not in (await intake.http.get("/readyz")).text
    metrics = (await intake.http.get("/metrics")).text
    assert 'doorbuster_webhooks{state="active"} 1.0' in metrics
    assert 'doorbuster_webhooks{state="paused"} 1.0' in metrics
    (oldest,) = [
        line for line in metrics.splitlines()
        if line.startswith(f'doorbuster_webhook_oldest_seconds{{webhook="{other["webhook_id"]}"}}')
    ]  # fmt: skip
    assert float(oldest.split()[1]) >= 90


async def test_a_prewarmed_sale_is_told_of_once(intake: Intake, db: Connection) -> None:
    await intake.open_sale("spring")
    for _ in range(2):
        assert (await intake.ops.post("/ops/sales/spring/prewarm")).status_code == 200
    assert [row["event_id"] for row in await db.fetch("select event_id from world_events")] == ["sale:spring:prewarm"]
    await intake.ops.post("/ops/sales/spring/close")
    await intake.open_sale("over", "lamp")
    await intake.ops.post("/ops/sales/over/close")
    await intake.ops.post("/ops/sales/over/prewarm")
    assert await db.fetchval("select count(*) from world_events where event_id like 'sale:over%'") == 0
