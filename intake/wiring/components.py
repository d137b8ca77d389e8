"""What the intake is made of, by settings: its parts, what begins and ends with them. Owns their making, no route."""

from __future__ import annotations

import asyncio
from functools import cached_property
from typing import TYPE_CHECKING, Any

from catalogue.search.service import open_search
from catalogue.service import Catalogue
from db.connections.fence import remember_in
from db.ops_keys import live_keys
from db.ops_sessions import ended_sessions
from db.sales import get_sale, get_sale_again, list_sales
from doorbuster.orderstore import changes
from doorbuster.orderstore.accept import AcceptScript, Terms
from doorbuster.orderstore.beside.timelines import Timelines
from doorbuster.orderstore.ids import OrderIds
from doorbuster.redis_clients import accept_client, plain_client
from doorbuster.settings import Settings
from intake.accepting.durability import Durability
from intake.accepting.store_memory import StoreMemory
from intake.accepting.witness import Observers, Witness
from intake.changes.publish import ChangePublisher
from intake.changes.restock import Restocker
from intake.database import Database
from intake.monitoring.alert_spells import AlertSpells
from intake.monitoring.alerts.watcher import AlertWatcher
from intake.monitoring.health import HealthChecks
from intake.monitoring.metrics import Metrics
from intake.monitoring.progress import Progress
from intake.monitoring.read_metrics import ReadFigures
from intake.monitoring.watch import Watch
from intake.notifications import Notifications
from intake.ops.live.desk import LiveDesk
from intake.ops.live.history import LiveHistory
from intake.ops.live.looks import Looks
from intake.ops.prewarm import PrewarmCheck
from intake.ops.prewarm_process import ProcessWarming, SignOfLife
from intake.ops.session.sessions import OpsSessions, sessions_key
from intake.ops.undecided_orders import WaitingOrders
from intake.orders.accept import OrderAcceptor
from intake.orders.event_hub import EventHub
from intake.orders.lookup import OrderReader
from intake.orders.transition import OrderTransitions
from intake.payments.news import NewsDesk
from intake.payments.providers import CallbackReader
from intake.products.fast_read import FastProductRead
from intake.room.return_uses import Uses
from intake.sales.cache import Sales
from intake.sales.offers import OfferCache
from intake.server.bodies import Bodies
from intake.server.connection.connections import Connections, bounds_of
from intake.server.descriptors import connections_within
from intake.server.guard import Guard
from intake.server.lifespan import Lifespan
from intake.server.shedding import Shedding
from intake.web.client_address import Addresses
from intake.web.ops_keys import KnownKeys, OpsKeys, StoredKeys
from intake.web.problems import Problems
from intake.wiring.room import RoomWiring
from readiness.look import ReadinessCheck
from readiness.replication import waited_for
from readiness.stores import StoreChecks
from readiness.warm import Warming

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from db.sales import Sale

GAUGES_EVERY_S = 1.0


class Parts:
    """Everything that the resources are made of, by settings."""

    def __init__(self, settings: Settings) -> None:
        url, timeout_s = settings.orders_redis_url.get_secret_value(), settings.store_timeout_s
        self.settings = settings
        self.ops_keys, self.sessions = ops_access_of(settings, KnownKeys(self.read_keys))
        self.metrics = Metrics()
        self.problems = Problems(settings.retry_after_s, self.metrics.refused)
        self.guard = Guard(
            in_flight_max=settings.in_flight_max,
            retry_after_s=settings.retry_after_s,
            bodies=Bodies(
                most=settings.bodies_max, per_address=settings.bodies_per_address, timeout_s=settings.body_timeout_s
            ),
            connections=Connections(bounds_of(settings, connections_within(settings.connections_max))),
            shedding=Shedding(in_flight_max=settings.in_flight_max, lag_ms=settings.shed_lag_ms),
        )
        self.database = Database(
            settings.database_url.get_secret_value(), timeout_s=timeout_s, keeps_entries=settings.stream_keep_s > 0
        )
        self.accept_redis = accept_client(url, timeout_s=timeout_s)
        self.orders_redis = plain_client(url, timeout_s=timeout_s)
        self.script = AcceptScript(self.accept_redis, terms_of(settings))
        self.sales = Sales(self.load_sale, self.orders_redis, self.script, Observers(self.metrics.batch, self.witness))
        self.progress = Progress(self.database, self.orders_redis)
        self.reader = OrderReader(self.database, self.orders_redis)
        self.durability = Durability(self.orders_redis, level=settings.durability, every_s=settings.durability_check_s)
        self.memory = StoreMemory(self.orders_redis, self.script, limit_mb=settings.order_store_max_mb)
        self.health = HealthChecks(self.database, self.orders_redis, self.durability, self.guard, self.memory)
        self.catalogue = Catalogue(settings)
        self.offering = OfferCache(self.database)
        uses = Uses(self.database, self.orders_redis)
        self.waiting = RoomWiring(settings, self.sales, self.script, uses, self.offering)
        self.publishing = ChangePublisher(self.orders_redis, self.sales, self.waiting.desk)
        announcing = self.publishing.announcing
        self.outcomes = Notifications(
            self.orders_redis, {changes.SALES: announcing.take, changes.HEARD: announcing.heard}, self.sales.distrust
        )
        self.hub = EventHub(self.database, lambda: self.guard.stopping, most=settings.event_streams_max)
        self.outcomes.follow(self.hub.by_order, self.hub.changed)
        self.restocking = Restocker(
            self.database, self.orders_redis, self.publishing, catalogue=self.catalogue, desk=self.waiting.desk
        )
        self.waiting_orders = WaitingOrders(self.database, self.orders_redis)
        self.moving = OrderTransitions(
            self.reader, self.database, self.restocking, payment_timeout_s=settings.payment_timeout_s
        )
        self.callbacks = CallbackReader(settings)
        self.payment_news = NewsDesk(self.database, simulated=settings.payment_provider == "simulated")
        self.search = open_search(settings, self.catalogue.replicas)
        self.catalogue.reader.heard.append(self.search.outdate)
        self.fast_product_read = FastProductRead(self.catalogue)
        self.read_figures = ReadFigures(self.metrics, self.catalogue, self.search, self.fast_product_read)
        self.guard.bodies.address_of = Addresses(settings.trusted_proxies).of_scope
        self.checks = StoreChecks(settings, self.database.reading, lambda: self.health.durability_faults)
        order_ids = OrderIds(settings.order_id_key.get_secret_value().encode())
        self.accepting = OrderAcceptor(order_ids, self.waiting.desk, self.durability, self.waiting.uses)
        self._prepare_prewarm()
        self._prepare_watching()

    @cached_property
    def live(self) -> LiveDesk:
        """How sales go, for ops."""
        looks = Looks(self.database, self.orders_redis, self.waiting.redis, self.waiting.desk)
        return LiveDesk(self.sales, looks, LiveHistory(self.waiting.redis), lambda: self.alerts.firing)

    @cached_property
    def witness(self) -> Witness:
        """Who remembers what was accepted here."""
        return Witness(self.orders_redis, self.database, durability=self.settings.durability)

    def _prepare_watching(self) -> None:
        """Make what looks at all of it."""
        self.database.held = self.catalogue.replicas.held = self.metrics.held
        self.catalogue.reader.on_late_product = self.guard.shedding.note_late_product
        judges = self.durability, self.memory
        self.alerts = AlertWatcher(Watch(self.database, self.checks, self.progress, self.metrics, judges), self.metrics)
        self.alert_spells = AlertSpells(self.database, lambda: self.alerts.firing)

    def _prepare_prewarm(self) -> None:
        """Make what is done ahead of sales."""
        self.prewarming = PrewarmCheck(
            Warming(self.settings, self.catalogue),
            ReadinessCheck(self.settings, self.checks, self.database.reading, self.catalogue),
            self.guard,
        )
        self.sign_of_life = SignOfLife(self.checks.redis["jobs_store"], self.orders_redis, self.waiting.ring)
        self.process_warming = ProcessWarming(
            self.database, (self.accept_redis, self.orders_redis, self.waiting.redis), self.sales,
            catalogue=self.catalogue, desk=self.waiting.desk,
        )  # fmt: skip

    async def load_sale(self, sale_id: str) -> Sale | None:
        """Read a sale from Postgres; its products only if they are not those of the copy that is at hand."""
        known = self.sales.copy_of(sale_id)
        async with self.database.reading("sales") as connection:
            return await (get_sale(connection, sale_id) if known is None else get_sale_again(connection, known))

    async def list_sales(self) -> list[Sale]:
        """Read the newest sales from Postgres."""
        async with self.database.reading("sales") as connection:
            return await list_sales(connection)

    async def read_keys(self) -> StoredKeys:
        """Read the keys of ops from Postgres, and who signed out."""
        async with self.database.reading() as connection:
            return StoredKeys(await live_keys(connection), await ended_sessions(connection))

    async def remember_timelines(self) -> None:
        """Have every connection to Postgres know of primaries that were replaced before this process began."""
        remember_in(Timelines(self.orders_redis))

    async def first_check(self) -> None:
        """Judge the order store before the first order."""
        await self.durability.check()

    async def measure(self) -> None:
        """Show what is in work in the metrics, until cancelled."""
        guard = self.guard
        self.metrics.gauge_in_flight(lambda: guard.in_flight, lambda: guard.waiting, lambda: len(self.hub))
        while True:
            await asyncio.sleep(GAUGES_EVERY_S)
            self.metrics.tick(guard.in_flight, guard.waiting, len(self.hub))
            self.metrics.protocol_fallbacks.set(bool(guard.protocol_fault))
            self.read_figures.flush()
            self.metrics.orders_by_path.labels("fast").inc(guard.pop_fast_order_count())
            if refused := guard.pop_refused_count():
                self.metrics.refused("overloaded", refused)
            for code, times in guard.connections.pop_refused_by_code():
                self.metrics.refused(code, times)
            self.metrics.loop_lag.set(guard.shedding.lateness.standing_s)
            for what, times in guard.shedding.pop_refused():
                self.metrics.shed.labels(what).inc(times)

    async def close_stores(self) -> None:
        """Close the connections to Redis."""
        remember_in(None)
        await self.accept_redis.aclose()
        await self.waiting.close()
        await self.checks.close()
        await self.orders_redis.aclose()

    def _ahead_of_sales(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        """Return what is done ahead of sales; a process for ops alone serves no shopper, and does not count."""
        if self.settings.intake_role == "ops":
            return []
        return [self.sign_of_life.keep_giving, self.process_warming.keep_warm]

    def lifespan(self) -> Lifespan:
        """Return what begins and ends with the process."""
        return Lifespan(
            opening=[self.remember_timelines, self.database.open, self.catalogue.open, self.first_check],
            running=[
                self.guard.cancel_slow_bodies,
                self.guard.shedding.keep_judging,
                self.sales.keep_fresh,
                self.outcomes.listen,
                self.hub.run,
                self.durability.keep_checking,
                self.memory.keep_looking,
                self.witness.keep_looking,
                self.measure,
                self.live.run,
                *(
                    [self.alerts.keep_looking, self.alert_spells.keep_noting]
                    if self.settings.intake_role != "public"
                    else []
                ),
                *self.waiting.running(),
                *self.catalogue.running(),
                *self._ahead_of_sales(),
            ],
            closing=[
                self.witness.end,
                self.sign_of_life.end,
                self.close_stores,
                self.search.close,
                self.catalogue.close,
                self.database.close,
            ],
        )


def ops_access_of(settings: Settings, known: KnownKeys) -> tuple[OpsKeys, OpsSessions]:
    """Return by what ops come in: their keys, and sessions that were begun with one."""
    keys = OpsKeys(
        settings.ops_key.get_secret_value(),
        known,
        Addresses(settings.trusted_proxies),
        tries_per_minute=settings.ops_tries_per_address,
    )
    return keys, OpsSessions(sessions_key(settings), known, life_s=settings.ops_session_s)


def terms_of(settings: Settings) -> Terms:
    """Return what holds for every batch."""
    return Terms(
        ttl_ms=settings.idempotency_ttl_s * 1000,
        backlog_max=settings.backlog_max,
        backlog_max_bytes=settings.backlog_max_mb * 2**20,
        batch_max=settings.batch_max,
        replicas=_replicas(settings),
        replica_wait_ms=settings.replica_wait_ms,
        timeout_s=settings.store_timeout_s + _wait_s(settings),
    )


def _replicas(settings: Settings) -> int:
    return waited_for(settings.durability)


def _wait_s(settings: Settings) -> float:
    return settings.replica_wait_ms / 1000 if _replicas(settings) else 0.0
