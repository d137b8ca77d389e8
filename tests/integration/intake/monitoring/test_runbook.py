"""Each alert's fault, made on real stores: exactly that alert fires, the runbook's steps are typed, and it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from db.work import shifts
from intake.monitoring.alerts.table import ALERTS
from tests.fixtures.night import LAMP, Night, accept_a_minute_ago, work_off
from tests.fixtures.waiting import eventually

Mend = Callable[[], Awaitable[Any]]


async def _nothing() -> None:
    """What the steps did is enough."""


@asynccontextmanager
async def not_durable(night: Night) -> AsyncIterator[Mend]:
    """The order store syncs once a second: posts are refused."""
    await night.shop.orders.config_set("appendfsync", "everysec")
    try:
        await eventually(lambda: _is(night.order(), "store_unavailable"), what="posts to be refused")
        yield _nothing
    finally:
        await night.shop.orders.config_set("appendfsync", "always")
    await eventually(lambda: _is(night.order(), "202"), what="posts to be accepted")


@asynccontextmanager
async def nearly_full(night: Night) -> AsyncIterator[Mend]:
    """Nine tenths of the order store's memory are used."""
    used = (await night.shop.orders.info("memory"))["used_memory"]
    await night.shop.orders.config_set("maxmemory", int(used / 0.9))
    try:
        yield _nothing
    finally:
        await night.shop.orders.config_set("maxmemory", 0)


@asynccontextmanager
async def postgres_away(night: Night) -> AsyncIterator[Mend]:
    """Nobody reaches Postgres; posts go on."""
    night.postgres.cut(reset=True)

    async def start() -> None:
        night.postgres.mend()

    yield start
    assert await night.order() == "202"


@asynccontextmanager
async def nobody_there(night: Night) -> AsyncIterator[Mend]:
    """Worker and scheduler have ended, and what is accepted waits for so long that each stage is late."""
    night.alive.close()
    await accept_a_minute_ago(night)
    yield _nothing


@asynccontextmanager
async def blocked(night: Night) -> AsyncIterator[Mend]:
    """A session of somebody holds the stock's rows: the drain stands still."""
    await accept_a_minute_ago(night)
    stranger = await asyncpg.connect(night.shop.settings.database_url.get_secret_value())
    drain = None
    try:
        held = stranger.transaction()
        await held.start()
        await stranger.execute("select from stock for update")
        drain = asyncio.create_task(night.shop.drain())
        waits = "select count(*) from pg_locks where not granted"
        await eventually(lambda: night.shop.db.fetchval(waits), what="the drain to wait for the stock")

        async def go_on() -> None:
            assert drain is not None
            await drain
            await work_off(night.shop)

        yield go_on
        assert "select from stock for update" in night.person.heard("psql")
    finally:
        stranger.terminate()


@asynccontextmanager
async def provider_down(night: Night) -> AsyncIterator[Mend]:
    """The settle shift leaves the payment provider alone."""
    db, name = night.shop.db, f"settle:{night.shop.sale_number}:0"
    taken = await shifts.take(db, name, holder="test", lease_s=60)
    assert taken is not None
    await shifts.note_payments(db, name, taken.fence, payments_per_s=1.0, paused=("down", 30.0))

    async def answer() -> None:
        await shifts.note_payments(db, name, taken.fence, payments_per_s=1.0, paused=("down", 0.0))

    yield answer
    assert await night.order() == "sale_not_open", "the runbook holds the sale"


@asynccontextmanager
async def put_aside(night: Night) -> AsyncIterator[Mend]:
    """An accepted entry is no order."""
    await night.shop.accept(b"no order at all")
    await night.shop.drain()
    night.person.env["ID"] = str(await night.shop.db.fetchval("select dead_letter_id from dead_letters"))
    yield _nothing
    assert "unreadable" in night.person.heard("doorbuster dead-letters list")


@asynccontextmanager
async def room_away(night: Night) -> AsyncIterator[Mend]:
    """The room's store is not reached."""
    room = {"mode": "always", "rate_per_s": 10}
    (await night.intake.ops.patch("/ops/sales/sale", json={"room": room})).raise_for_status()
    night.room_store.cut(reset=True)

    async def start() -> None:
        night.room_store.mend()

    yield start


@asynccontextmanager
async def webhook_paused(night: Night) -> AsyncIterator[Mend]:
    """A receiver failed too often in a row."""
    made = await night.intake.ops.post("/ops/webhooks", json={"url": "https://shop.example/events"})
    night.person.env["ID"] = str(made.raise_for_status().json()["webhook_id"])
    await night.shop.db.execute("update webhooks set state = 'paused', state_reason = 'answered 500'")
    yield _nothing
    assert "answered 500" in night.person.heard("doorbuster webhooks show")


@asynccontextmanager
async def not_ready(night: Night) -> AsyncIterator[Mend]:
    """A sale begins soon, and its lamp has no units."""
    soon = datetime.now(UTC) + timedelta(minutes=10)
    night.person.env |= {"SALE": "soon", "PRODUCT": "none"}
    (await night.intake.ops.put("/ops/products/none", json=LAMP)).raise_for_status()
    made = {"sale_id": "soon", "products": [{"product_id": "none"}], "starts_at": soon.isoformat()}
    (await night.intake.ops.post("/ops/sales", json=made)).raise_for_status()
    (await night.intake.ops.post("/ops/sales/soon/prewarm")).raise_for_status()

    async def do() -> None:
        await work_off(night.shop)

    yield do
    assert "no units" in night.person.heard("doorbuster prewarm"), night.person.said


FAULTS: dict[str, Callable[[Night], Any]] = {
    "OrdersNotAccepted": not_durable,
    "OrderStoreFilling": nearly_full,
    "PostgresDegraded": postgres_away,
    "NobodyWorks": nobody_there,
    "DrainLate": blocked,
    "PaymentsFailing": provider_down,
    "PromiseBroken": put_aside,
    "RoomDegraded": room_away,
    "TellingLate": webhook_paused,
    "PrewarmNoGo": not_ready,
}


async def _is(answer: Awaitable[str], wanted: str) -> bool:
    return await answer == wanted


def test_every_alert_has_its_fault_here() -> None:
    assert list(FAULTS) == [alert.name for alert in ALERTS]


@pytest.mark.parametrize("name", FAULTS)
async def test_its_fault_fires_the_alert_alone_and_the_runbook_ends_it(night: Night, name: str) -> None:
    assert await night.order() == "202"
    await night.shop.drain()
    await work_off(night.shop)
    await night.fires()
    async with FAULTS[name](night) as mend:
        await night.fires(name)
        await night.person.walk(name)
        await mend()
        await night.fires()
