"""Pre-warm: go or no-go with each check and its figure, and the sale's products in the shared cache afterwards."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from redis.asyncio import Redis

from db.connections.pool import Connection
from doorbuster import keys
from readiness.sale_checks import clock_check
from tests.fixtures.intake import Intake, Serve

pytestmark = pytest.mark.usefixtures("staffed")
AWAY = "redis://127.0.0.1:1/0"


async def prewarm(intake: Intake, sale: str = "one") -> dict[str, Any]:
    answer = await intake.ops.post(f"/ops/sales/{sale}/prewarm")
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


async def open_stocked(intake: Intake, sale: str = "one", *products: str, **terms: Any) -> None:
    """Open a sale whose products have units."""
    await intake.open_sale(sale, *products, **terms)
    for product in products or ("hot",):
        await intake.make_product(product, units=5)


async def test_it_fills_the_cache_and_says_go_with_each_figure(intake: Intake, jobs_redis: Redis) -> None:
    await open_stocked(intake, "one", "lamp", "tent", room={"mode": "always"})
    await jobs_redis.delete(*[keys.catalogue(f"product/{one}") for one in ("lamp", "tent")])
    said = await prewarm(intake)
    assert said["go"] is True, said
    checks = said["checks"]
    wanted = {
        "postgres", "orders_store", "durability", "sale", "window", "products", "stock", "allotment", "room",
        "room_store", "cache", "replicas", "jobs_store", "clock", "capacity", "memory", "payments", "disk", "webhooks",
        "processes", "scaling", "keys", "audit", "buffers", "cdn",
    }  # fmt: skip
    assert checks.keys() == wanted
    assert all(check["ok"] for check in checks.values())
    assert (checks["sale"]["phase"], checks["room"]["mode"], checks["replicas"]["configured"]) == ("open", "always", 0)
    assert (checks["cache"]["products"], checks["cache"]["filled"]) == (2, 2)
    for product in ("lamp", "tent"):
        assert await jobs_redis.hexists(keys.catalogue(f"product/{product}"), "item")


def failing(said: dict[str, Any]) -> set[str]:
    """Return the names of the checks that fail."""
    return {name for name, one in said["checks"].items() if not one["ok"]}


@pytest.mark.parametrize(("verb", "phase"), [("close", "closed"), ("drain", "drain")])
async def test_a_sale_that_takes_no_more_is_no_go(intake: Intake, verb: str, phase: str) -> None:
    await intake.open_sale("one")
    await intake.ops.post(f"/ops/sales/one/{verb}")
    said = await prewarm(intake)
    assert (said["go"], said["checks"]["sale"]["ok"], said["checks"]["sale"]["phase"]) == (False, False, phase)
    assert "reason" in said["checks"]["sale"]


async def test_a_sale_that_has_ended_is_no_go_and_one_to_come_is_go(intake: Intake, db: Connection) -> None:
    await open_stocked(intake, "one", ends_at="2099-01-01T00:00:00Z")
    await db.execute("update sales set starts_at = now() - interval '2 hours', ends_at = now() - interval '1 hour'")
    said = await prewarm(intake)
    assert (said["go"], said["checks"]["sale"]["phase"]) == (False, "ended")
    await open_stocked(intake, "later", starts_at="2099-01-01T00:00:00Z")
    said = await prewarm(intake, "later")
    assert (said["go"], said["checks"]["sale"]["phase"]) == (True, "scheduled")


@pytest.mark.parametrize(
    ("setting", "checks"),
    [
        ("cache_redis_url", {"cache"}),
        ("jobs_redis_url", {"jobs_store"}),
        ("room_redis_url", {"room", "room_store"}),
    ],
)
async def test_a_store_that_is_away_is_no_go(serve: Serve, setting: str, checks: set[str]) -> None:
    intake = await serve(**{setting: AWAY})
    await open_stocked(intake, room={"mode": "always"})
    said = await prewarm(intake)
    assert said["go"] is False
    assert failing(said) == checks
    assert all(said["checks"][check]["reason"] for check in checks)


async def test_the_room_store_counts_also_where_the_sale_has_no_room(serve: Serve) -> None:
    intake = await serve(room_redis_url=AWAY)
    await open_stocked(intake)
    assert failing(await prewarm(intake)) == {"room_store"}


async def test_products_that_cannot_be_sold_are_no_go_by_name(intake: Intake) -> None:
    listed = [
        {"product_id": "few", "quantity": 9},
        {"product_id": "none"},
        {"product_id": "off"},
        {"product_id": "fine"},
    ]
    for product in ("few", "off", "fine"):
        await intake.make_product(product, units=3)
    await intake.make_product("none")
    (await intake.ops.post("/ops/sales", json={"sale_id": "one", "products": listed})).raise_for_status()
    body = {"name": "off", "brand": "Acme", "category": "things", "price": 100, "currency": "EUR", "active": False}
    (await intake.ops.put("/ops/products/off", json=body)).raise_for_status()
    said = await prewarm(intake)
    assert failing(said) == {"products", "stock", "allotment"}
    assert said["checks"]["products"]["reason"] == "switched off: off"
    assert said["checks"]["stock"]["reason"] == "no units in stock: none"
    assert said["checks"]["allotment"]["reason"] == "allotted more than is in stock: few (9 of 3)"


async def test_a_lobby_after_the_start_is_no_go(intake: Intake, db: Connection) -> None:
    await open_stocked(intake, starts_at="2098-01-01T00:00:00Z")
    late = """update sales set room = '{"mode": "always", "lobby_opens_at": "2098-01-02T00:00:00Z"}'"""
    await db.execute(late)
    said = await prewarm(intake)
    assert "window" in failing(said)


def test_clocks_that_differ_are_no_go() -> None:
    assert clock_check({"postgres": 0.2, "orders_store": -0.9})["ok"]
    said = clock_check({"postgres": 0.2, "orders_store": -1.5})
    assert (said["ok"], said["reason"]) == (False, "clocks differ: orders_store by -1.5 s")


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


async def test_every_look_is_a_report_and_the_newest_comes_first(intake: Intake) -> None:
    await intake.open_sale("one")
    assert (await intake.ops.get("/ops/sales/one/prewarm")).json() == {"reports": []}
    assert (await prewarm(intake))["go"] is False
    await intake.make_product(units=5)
    said = await prewarm(intake)
    found = (await intake.ops.get("/ops/sales/one/prewarm")).json()["reports"]
    assert [set(report) for report in found] == [{"at", "go", "checks"}] * 2
    assert [report["go"] for report in found] == [True, False]
    assert found[0]["at"] > found[1]["at"]
    assert found[0]["checks"].keys() == said["checks"].keys()
    assert (await intake.ops.get("/ops/sales/none/prewarm")).json()["code"] == "sale_not_found"
    assert (await intake.ops.get("/ops/sales/one/prewarm?limit=3")).status_code == 422


async def test_the_pages_of_the_cdn_are_asked_for(serve: Serve) -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=404 if request.path.endswith("tent") else 200)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    async with TestServer(app) as cdn:
        intake = await serve(prewarm_cdn_url=f"http://127.0.0.1:{cdn.port}")
        await open_stocked(intake, "one", "lamp", "tent")
        said = (await prewarm(intake))["checks"]["cdn"]
    assert sorted(asked) == ["/products/lamp", "/products/tent", "/sales/one"]
    assert said == {
        "ok": False, "reason": "the CDN did not answer all: /products/tent is 404", "pages": 3, "filled": 2,
    }  # fmt: skip
