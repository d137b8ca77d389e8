"""Each alert's fault, made on real stores: exactly that alert fires, the runbook's steps are typed, and it ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
import redis as sync_redis
from prometheus_client.parser import text_string_to_metric_families

from db.work import shifts
from doorbuster import keys
from doorbuster.orderstore import entry
from doorbuster.settings import Settings
from intake.monitoring import progress, watch
from intake.monitoring.alerts.evaluator import AlertEvaluator, FiringAlert, names_of
from intake.monitoring.alerts.history import Labels
from intake.monitoring.alerts.table import ALERTS
from tests.fixtures.intake import Intake, Serve
from tests.fixtures.proxy import Proxy
from tests.fixtures.runbook import Person, person
from tests.fixtures.shop import Shop
from tests.fixtures.up import clean_environment
from tests.fixtures.waiting import eventually
from workers.publish.catalogue import catalogue_relay
from workers.runtime.presence import Presence
from workers.runtime.rq_worker import _make

LAMP = {"name": "Lamp", "brand": "Lux", "category": "Light", "price": 4900, "currency": "EUR"}
MINUTE_S = 60.0


@dataclass
class Night:
    """A sale that is on, with all that it needs: an intake, its stores behind proxies, a worker and a scheduler."""

    shop: Shop
    intake: Intake
    postgres: Proxy
    room_store: Proxy
    person: Person
    alive: ExitStack
    """The signs of life of worker and scheduler."""
    _evaluator: AlertEvaluator = field(default_factory=lambda: AlertEvaluator(ALERTS))
    _at: float = 0.0
    seen: list[FiringAlert] = field(default_factory=list)

    async def firing(self) -> list[FiringAlert]:
        """Return what fires when all stays as it is for a minute, by what `/metrics` says."""
        for _ in range(2):
            self._at += MINUTE_S
            text = (await self.intake.ops.get("/metrics")).raise_for_status().text
            fires = self._evaluator.judge(samples_of(text), at=self._at, unix_s=time.time())
        return fires

    async def fires(self, *names: str) -> None:
        """Wait until exactly these fire."""

        async def seen() -> bool:
            self.seen = await self.firing()
            return names_of(self.seen) == list(names)

        try:
            await eventually(seen)
        except AssertionError as error:
            raise AssertionError(f"wanted {names}, there fires {self.seen}") from error

    async def order(self, sale: str = "sale") -> str:
        """Order a lamp; return the code of the answer."""
        body = {"customer_id": f"c{time.monotonic_ns()}", "lines": [{"product_id": "lamp", "quantity": 1}]}
        answer = await self.intake.post(sale, **body)
        return str(answer.json().get("code", answer.status_code))


def samples_of(text: str) -> dict[str, dict[Labels, float]]:
    """Read a page of metrics as the evaluator takes it."""
    found: dict[str, dict[Labels, float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def _sign_of_life(url: str) -> ExitStack:
    """Have a worker and a scheduler say that they live, as these do."""
    alive = ExitStack()
    client = alive.enter_context(sync_redis.Redis.from_url(url))
    scheduler = Presence(client)
    scheduler.renew()
    alive.callback(scheduler.end)
    worker = _make(client)
    worker.register_birth()
    alive.callback(worker.register_death)
    return alive


@pytest.fixture
async def night(shop: Shop, settings: Settings, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Night]:
    monkeypatch.setattr(progress, "KEEP_S", 0.0)
    monkeypatch.setattr(watch, "KEEP_S", 0.0)
    with (
        Proxy(settings.database_url.get_secret_value()) as postgres,
        Proxy(settings.room_redis_url.get_secret_value()) as room_store,
        _sign_of_life(settings.jobs_redis_url.get_secret_value()) as alive,
    ):
        intake = await serve(database_url=postgres.url, room_redis_url=room_store.url, durability_check_s=0.1)
        (await intake.ops.put("/ops/products/lamp", json=LAMP)).raise_for_status()
        (await intake.ops.post("/ops/products/lamp/stock", json={"receive": 20})).raise_for_status()
        sale = {"sale_id": "sale", "products": [{"product_id": "lamp"}]}
        (await intake.ops.post("/ops/sales", json=sale)).raise_for_status()
        shop.sale_number = await shop.db.fetchval("select sale_number from sales where sale_id = 'sale'")
        told = {
            name.upper(): value.get_secret_value()
            for name, value in settings
            if name.endswith(("redis_url", "database_url", "order_id_key")) and value
        }
        told |= {"DATABASE_URL": postgres.url, "OPS_URL": str(intake.ops.base_url).rstrip("/"), "SALE": "sale"}
        told["OPS_KEY"] = settings.ops_key.get_secret_value()
        with person(clean_environment(**told)) as somebody:
            yield Night(shop, intake, postgres, room_store, somebody, alive)


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
    await _accept_a_minute_ago(night)
    yield _nothing


@asynccontextmanager
async def blocked(night: Night) -> AsyncIterator[Mend]:
    """A session of somebody holds the stock's rows: the drain stands still."""
    await _accept_a_minute_ago(night)
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
            await _work_off(night.shop)

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

    async def work_off() -> None:
        await _work_off(night.shop)

    yield work_off
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


async def _accept_a_minute_ago(night: Night) -> None:
    """Have an order in a sale's stream that has waited for a minute."""
    shop = night.shop
    await shop.open_sale("lamp")
    at_ms = int((time.time() - MINUTE_S) * 1000)
    order = {entry.FIELD: entry.encode(shop.entry("ada", lamp=1))}
    await shop.orders.xadd(keys.stream(shop.sale_number, 0), order, id=f"{at_ms}-0")
    await shop.orders.hincrby(keys.gate(shop.sale_number, 0), "accepted", 1)


async def _work_off(shop: Shop) -> None:
    """Do all that follows the drain: none of it may seem late, however slow the machine is."""
    await shop.settle()
    await shop.relay()
    await shop.run("catalogue", catalogue_relay)


async def _is(answer: Awaitable[str], wanted: str) -> bool:
    return await answer == wanted


def test_every_alert_has_its_fault_here() -> None:
    assert list(FAULTS) == [alert.name for alert in ALERTS]


@pytest.mark.parametrize("name", FAULTS)
async def test_its_fault_fires_the_alert_alone_and_the_runbook_ends_it(night: Night, name: str) -> None:
    assert await night.order() == "202"
    await night.shop.drain()
    await _work_off(night.shop)
    await night.fires()
    async with FAULTS[name](night) as mend:
        await night.fires(name)
        await night.person.walk(name)
        await mend()
        await night.fires()
