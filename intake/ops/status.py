"""`GET /ops/status`: how stores, workers and sales are, in one answer within seconds whatever is away.

Owns what counts as trouble; asks, and changes nothing.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from db import sales as rows
from db.work import store_losses
from doorbuster.contract.ops import DurabilityView, ProcessView, SaleStatusView, StatusView, StoreView
from doorbuster.failures import STORE_FAILED
from doorbuster.orderstore import backlog
from intake.sales.phase import effective_phase
from intake.web.query_parameters import refuse_unknown_params
from intake.web.responses import write
from readiness.processes import processes
from readiness.stores import LOOK_S

if TYPE_CHECKING:
    from falcon.asgi import Request, Response

    from db.sales import LiveSale
    from intake.accepting.durability import Durability
    from intake.database import Database
    from intake.monitoring.progress import Progress
    from intake.sales.cache import Sales
    from readiness.stores import Check, StoreChecks

_OVER = frozenset({"closed", "ended"})


class OpsStatus:
    """Resource of how everything is."""

    def __init__(
        self, database: Database, sales: Sales, checks: StoreChecks, progress: Progress, durability: Durability
    ) -> None:
        self._database, self._sales, self._checks, self._progress = database, sales, checks, progress
        self._durability = durability

    async def on_get(self, req: Request, resp: Response) -> None:
        """Show it; 200 also when something is amiss: `ok` says so."""
        refuse_unknown_params(req)
        stores, workers, (sales, backlog), progress, lost = await asyncio.gather(
            self._checks.look(), self._workers(), self._all_sales(), self._late(), self._losses()
        )
        work = {"backlog": backlog} | progress
        shown = [_store(name, check) for name, check in stores.items()]
        troubles = [view.reason for view in shown if not view.ok]
        troubles += work.get("late", []) + lost
        if workers is not None:
            troubles += _missing(workers) + [
                f"{view.role} {view.name}: {view.reason}" for view in workers if not view.ok
            ]
        write(
            resp,
            StatusView(
                ok=not troubles,
                troubles=troubles,
                stores=shown,
                processes=workers or [],
                sales=sales,
                work=work,
                durability=DurabilityView(
                    level=self._durability.level, notes=self._durability.notes, switches=self._durability.switches
                ),
            ),
        )

    async def _workers(self) -> list[ProcessView] | None:
        """Return the workers and schedulers, None when the jobs store, which knows them, does not answer."""
        try:
            async with asyncio.timeout(LOOK_S):
                return await processes(self._checks.redis["jobs_store"])
        except STORE_FAILED:  # told by the check of the store
            return None

    async def _losses(self) -> list[str]:
        """Return what the order store lost within a day, nothing when Postgres does not answer."""
        try:
            async with asyncio.timeout(LOOK_S), self._database.reading("watching") as connection:
                return list(filter(None, [(await store_losses.summary(connection)).words]))
        except STORE_FAILED:  # told by the check of the store
            return []

    async def _late(self) -> dict[str, Any]:
        """Return how late the stages behind the intake are, nothing when the stores that know do not answer."""
        try:
            async with asyncio.timeout(LOOK_S):
                return (await self._progress.look()).shown()
        except STORE_FAILED:  # told by the check of the store
            return {}

    async def _all_sales(self) -> tuple[list[SaleStatusView], int | None]:
        """Return the sales that are not over, or have a backlog, and how many accepted orders wait in all."""
        live: list[LiveSale | rows.Sale] = await self._live()
        backlogs = await self._backlogs(live)
        shown = [
            SaleStatusView(
                sale_id=sale.sale_id, phase=phase, starts_at=sale.starts_at, ends_at=sale.ends_at, backlog=backlog
            )
            for sale, backlog in zip(live, backlogs, strict=True)
            if (phase := effective_phase(sale)) not in _OVER or backlog
        ]
        measured = [backlog for backlog in backlogs if backlog is not None]
        return shown, sum(measured) if len(measured) == len(live) else None

    async def _live(self) -> list[LiveSale | rows.Sale]:
        """Return the sales from Postgres, those this process holds a copy of when it does not answer."""
        try:
            async with asyncio.timeout(LOOK_S), self._database.reading("watching") as connection:
                return [*await rows.live_sales(connection)]
        except STORE_FAILED:  # told by the check of the store
            return [cached.sale for cached in self._sales.all() if cached.sale.phase != "closed"]

    async def _backlogs(self, live: list[LiveSale | rows.Sale]) -> list[int | None]:
        try:
            async with asyncio.timeout(LOOK_S):
                return [await self._backlog(sale) for sale in live]
        except STORE_FAILED:  # told by the check of the store
            return [None] * len(live)

    async def _backlog(self, sale: LiveSale | rows.Sale) -> int:
        number = sale.sale_number if isinstance(sale, rows.LiveSale) else sale.number
        partitions = [(number, partition) for partition in range(sale.partitions)]
        return sum(orders for orders, _ in await backlog.counts(self._checks.redis["orders_store"], partitions))


def _store(name: str, check: Check) -> StoreView:
    return StoreView(name, check["ok"], check.get("age_s"), check.get("took_ms"), check.get("reason", ""))


def _missing(processes: list[ProcessView]) -> list[str]:
    roles = {process.role for process in processes if process.ok}
    troubles = {
        "worker": "no worker runs: orders are accepted and not worked off",
        "scheduler": "no scheduler runs: nothing starts the shifts that work orders off",
    }
    return [text for role, text in troubles.items() if role not in roles]
