"""Rows of nobody being let in from the room: what keeps visitors waiting, and what lets them in."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.night import Night
from tests.fixtures.own_store import own_store
from tests.fixtures.runbook_rows import Row
from tests.fixtures.visitors import Visitor
from tests.fixtures.waiting import eventually
from workers import scheduler as scheduling
from workers.scheduler import Scheduler

NAME = "Nobody is let in from the room"
ROOM = "curl -s $OPS_URL/sales/$SALE/room"
METRICS = "curl -s $OPS_URL/metrics"
RATE = 1000.0


async def _set(night: Night, room: dict[str, Any], **terms: Any) -> None:
    whole = {"mode": "always", "rate_per_s": RATE, "burst": 1000} | room
    answer = await night.intake.ops.patch("/ops/sales/sale", json={"room": whole} | terms)
    assert answer.is_success, answer.text


async def _waiting(night: Night, name: str) -> Visitor:
    """Return a visitor who joined and is not let in."""
    visitor = Visitor(night.intake, "sale", name)
    assert (await visitor.join()).status_code == 201
    assert (await visitor.claim()).status_code == 202
    return visitor


@asynccontextmanager
async def _scheduler(night: Night, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scheduler]:
    """A scheduler that sees to the rooms at each tick."""
    monkeypatch.setattr(scheduling, "GATES_S", 0.0)
    monkeypatch.setattr(scheduling, "OUTFLOW_MS", 1)
    scheduler = Scheduler(night.shop.settings)
    try:
        yield scheduler
    finally:
        await scheduler.close()


async def _room(night: Night) -> dict[str, Any]:
    found: dict[str, Any] = (await night.intake.http.get("/sales/sale/room")).json()
    return found


@pytest.mark.walks(NAME, '`"phase":"hold"`')
async def test_somebody_held_the_sale(row: Row) -> None:
    night = row.night
    await _set(night, {})
    (await night.intake.ops.post("/ops/sales/sale/hold", headers={"X-Operator": "mallory"})).raise_for_status()
    bob = await _waiting(night, "bob")
    assert "mallory" in await row.looks(ROOM, "doorbuster sale log $SALE")
    await row.does("doorbuster sale resume $SALE")
    assert await bob.admitted()


@pytest.mark.walks(NAME, '`"phase":"lobby"` or `"phase":"closed"`')
async def test_it_has_not_started(row: Row) -> None:
    night = row.night
    night.person.env["SALE"] = "soon"
    now = datetime.now(UTC)
    room = {"mode": "always", "rate_per_s": RATE, "lobby_opens_at": (now + timedelta(hours=1)).isoformat()}
    sale = {
        "sale_id": "soon", "products": [{"product_id": "lamp"}], "room": room,
        "starts_at": (now + timedelta(hours=2)).isoformat(),
    }  # fmt: skip
    assert (await night.intake.ops.post("/ops/sales", json=sale)).is_success
    assert '"phase":"closed"' in await row.looks(ROOM)
    room["lobby_opens_at"] = (now - timedelta(hours=1)).isoformat()
    assert (await night.intake.ops.patch("/ops/sales/soon", json={"room": room})).is_success
    bob = Visitor(night.intake, "soon", "bob")
    await eventually(lambda: _joins(bob), what="the lobby to open")
    assert (await bob.claim()).status_code == 202
    assert '"phase":"lobby"' in await row.looks(ROOM)
    await row.does("doorbuster sale open $SALE")
    assert await bob.admitted()


async def _joins(visitor: Visitor) -> bool:
    return (await visitor.join()).status_code == 201


@pytest.mark.walks(NAME, '`"degraded":true`')
async def test_its_store_is_away(row: Row, stores_folder: Path) -> None:
    night = row.night
    with own_store("room", stores_folder) as store:
        night.intake = row.asks(await night.serve(room_redis_url=store.url, store_timeout_s=1.0))
        await _set(night, {"max_active": 1})
        ann = Visitor(night.intake, "sale", "ann")
        await ann.join()
        await ann.admitted()
        bob = await _waiting(night, "bob")
        store.end(signal.SIGTERM)

        async def is_degraded() -> bool:
            return bool((await _room(night))["degraded"])

        await eventually(is_degraded, what="the room to say so")
        await row.looks(ROOM)
        assert (await bob.claim()).status_code == 503
        store.start()

        async def keeps_his_place() -> bool:
            answer = await bob.join()
            return answer.status_code == 201 and bool(answer.json()["number"] == 2)

        await eventually(keeps_his_place, what="places to be there again")
        assert (await ann.leave()).is_success
        assert await bob.admitted()


@pytest.mark.walks(NAME, "`instead of the` rate you set, says `doorbuster watch`")
async def test_the_room_gives_way_to_what_is_behind_it(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    night = row.night
    await _set(night, {"thresholds": {"backlog": 1, "lag_ms": 60_000}})
    watch = "doorbuster watch $SALE --once"
    async with _scheduler(night, monkeypatch) as scheduler:
        await scheduler.tick()
        await row.looks_until("8/s instead of the 1,000/s you set: 20 units are left", watch)
        (await night.intake.ops.post("/ops/products/lamp/stock", json={"receive": 100_000})).raise_for_status()
        await night.shop.buy("ada", "bob", "cyd", lamp=1)
        await scheduler.tick()
        await row.looks_until("/s instead of the 1,000/s you set: 3 orders wait", watch)
        await night.shop.drain()
        await night.shop.settle()
        await night.shop.relay()
        for _ in range(20):
            await scheduler.tick()
        await row.looks_until("1,000/s, as you set it", watch)


@pytest.mark.walks(NAME, '`doorbuster_room_people{where="active"}` at `max_active`')
async def test_who_is_let_in_does_not_order(row: Row) -> None:
    night = row.night
    await _set(night, {"max_active": 1})
    ann = Visitor(night.intake, "sale", "ann")
    await ann.join()
    await ann.admitted()
    bob = await _waiting(night, "bob")
    await row.looks_until('doorbuster_room_people{sale="sale",where="active"} 1.0', METRICS)
    await row.looks("doorbuster sale show $SALE")
    await row.does("doorbuster sale set $SALE --max-active 1000")
    assert await bob.admitted()


@pytest.mark.walks(NAME, 'many `doorbuster_room_events{event="lapsed"}`')
async def test_places_are_reached_and_nobody_claims(row: Row) -> None:
    night = row.night
    await _set(night, {"grace_s": 1})
    for name in ("ann", "bob"):
        assert (await Visitor(night.intake, "sale", name).join()).status_code == 201

    async def lapsed(times: float) -> bool:
        text = (await night.intake.ops.get("/metrics")).text
        return f'doorbuster_room_events{{event="lapsed",sale="sale"}} {times}' in text

    await eventually(lambda: lapsed(2.0), what="both places to lapse")
    await row.looks(METRICS)
    await row.does("doorbuster sale set $SALE --grace-s 600")
    cyd = Visitor(night.intake, "sale", "cyd")
    assert (await cyd.join()).status_code == 201
    assert await cyd.admitted()
    assert (await night.intake.ops.get("/ops/sales/sale")).json()["room"]["grace_s"] == 600


@pytest.mark.walks(NAME, '`"sold_out":{"whole":true`')
async def test_nothing_is_left(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    night = row.night
    await _set(night, {"max_active": 1})
    ann = Visitor(night.intake, "sale", "ann")
    await ann.join()
    await ann.admitted()
    bob = await _waiting(night, "bob")
    async with _scheduler(night, monkeypatch) as scheduler:
        (
            await night.intake.ops.post("/ops/products/lamp/stock", json={"adjust": -20, "reason": "x"})
        ).raise_for_status()

        async def is_sold_out(wanted: bool) -> bool:
            await scheduler.tick()
            return bool((await _room(night))["sold_out"]["whole"] is wanted)

        await eventually(lambda: is_sold_out(True), what="the room to know")
        await row.looks(ROOM)
        assert (await ann.leave()).is_success
        assert (await bob.claim()).status_code != 200
        (await night.intake.ops.post("/ops/products/lamp/stock", json={"receive": 1})).raise_for_status()
        await eventually(lambda: is_sold_out(False), what="the room to know")
        assert await bob.admitted()
