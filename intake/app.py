"""The intake's composition root: the only place where its parts are put together. Owns wiring, decides nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from falcon.asgi import App

from db.sales import get_sale
from doorbuster.ids import OrderIds
from doorbuster.settings import Settings, load_settings
from doorbuster.stores import accept_client, plain_client
from intake.admission import Admission
from intake.awaiting import Awaiting
from intake.database import Database
from intake.group_commit import AcceptScript, Terms
from intake.lifespan import Lifespan
from intake.limits import Guard
from intake.metrics import Metrics
from intake.order_views import OrderReader
from intake.orders import CancelOrder, OneOrder
from intake.outcomes import Outcomes
from intake.posting import PostOrder
from intake.problems import Problems
from intake.sales import Sales

if TYPE_CHECKING:
    from db.sales import Sale


class Parts:
    """Everything that the resources are made of, by settings."""

    def __init__(self, settings: Settings) -> None:
        url, timeout_s = settings.orders_redis_url.get_secret_value(), settings.store_timeout_s
        self.settings = settings
        self.metrics = Metrics()
        self.problems = Problems(settings.retry_after_s, self.metrics.refused)
        self.guard = Guard(
            in_flight_max=settings.in_flight_max,
            body_timeout_s=settings.body_timeout_s,
            retry_after_s=settings.retry_after_s,
        )
        self.database = Database(settings.database_url.get_secret_value(), timeout_s=timeout_s)
        self.accepting = accept_client(url, timeout_s=timeout_s + _wait_s(settings))
        self.orders_redis = plain_client(url, timeout_s=timeout_s)
        self.script = AcceptScript(self.accepting, terms_of(settings))
        self.sales = Sales(self.load_sale, self.orders_redis, self.script, self.metrics)
        self.outcomes = Outcomes(self.orders_redis, self.sales.forget)
        self.reader = OrderReader(self.database, self.orders_redis)

    async def load_sale(self, sale_id: str) -> Sale | None:
        """Read a sale from Postgres."""
        async with self.database.reading() as connection:
            return await get_sale(connection, sale_id)

    async def close_stores(self) -> None:
        """Close the connections to Redis."""
        await self.accepting.aclose()
        await self.orders_redis.aclose()

    def lifespan(self) -> Lifespan:
        """Return what begins and ends with the process."""
        return Lifespan(
            opening=[self.database.open],
            running=[self.guard.expire_slow, self.sales.keep_fresh, self.outcomes.listen],
            closing=[self.close_stores, self.database.close],
        )


def terms_of(settings: Settings) -> Terms:
    """Return what holds for every batch."""
    return Terms(
        ttl_ms=settings.idempotency_ttl_s * 1000,
        backlog_max=settings.backlog_max,
        batch_max=settings.batch_max,
        replicas=_replicas(settings),
        replica_wait_ms=settings.replica_wait_ms,
    )


def _replicas(settings: Settings) -> int:
    return int(settings.durability.removeprefix("replicas:")) if settings.durability.startswith("replicas:") else 0


def _wait_s(settings: Settings) -> float:
    return settings.replica_wait_ms / 1000 if _replicas(settings) else 0.0


def create_app(settings: Settings, role: str = "all") -> Guard:
    """Put the intake together for a role: `public`, `ops` or `all`."""
    parts = Parts(settings)
    app = App(middleware=[parts.lifespan()])
    parts.problems.install(app)
    if role != "ops":
        add_storefront(app, parts)
    parts.guard.application = app
    return parts.guard


def add_storefront(app: App, parts: Parts) -> None:
    """Add what shoppers and storefronts call."""
    settings = parts.settings
    order_ids = OrderIds(settings.order_id_key.get_secret_value().encode())
    admission = Admission(key.get_secret_value() for key in settings.storefront_keys)
    awaiting = Awaiting(parts.reader, parts.outcomes, parts.guard, parts.problems)
    app.add_route("/sales/{sale}/orders", PostOrder(parts.sales, order_ids, admission, awaiting, parts.problems))
    app.add_route("/orders/{order}", OneOrder(parts.reader))
    app.add_route("/orders/{order}/cancel", CancelOrder(parts.reader, parts.database))


def from_environment() -> Guard:
    """Put the intake together from the environment; what gunicorn calls in each worker."""
    return create_app(load_settings(), os.environ.get("INTAKE_ROLE", "all"))
