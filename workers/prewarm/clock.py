"""Ahead of each sale, by the clock: takes the steps that are due, each once, whoever and however many look.

Owns the doing of a step: warm up, look, report and tell. Rows decide who does it; what takes long is done beside the
scheduler's other parts, never in their turn.
"""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from catalogue.service import Catalogue
from db.connections import pool as pools
from db.prewarm import steps
from db.prewarm.telling import tell
from db.sales import get_sale_by_number
from doorbuster.failures import ANTICIPATED
from readiness.look import ReadinessCheck
from readiness.stores import StoreChecks
from readiness.warm import Warming
from workers.prewarm.beside import Beside
from workers.prewarm.plan import due, waits_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from datetime import datetime

    from db.connections.pool import Connection, Pool
    from db.sales import LiveSale, Sale
    from doorbuster.settings import Settings
    from workers.prewarm.plan import PrewarmStep

TAKEN_S = 45.0
"""How long a step may take before another does it: warming and looking are bounded well below."""
AGAIN_S = 2.0
"""How often a check that waits looks whether processes have started."""
POOL_SIZE = 4
REMEMBERED = 1_000
"""Starts of which the steps done are remembered."""

log = logging.getLogger("doorbuster.workers.prewarm")


class SaleClock:
    """Takes the steps that are due."""

    def __init__(self, settings: Settings, *, taken_s: float = TAKEN_S) -> None:
        self._settings, self._taken_s = settings, taken_s
        self._done: dict[tuple[int, datetime], frozenset[str]] = {}
        self.beside = Beside()

    async def look(self, connection: Connection, sales: Iterable[LiveSale]) -> None:
        """See what is due, and begin with the first of it unless something is under way; by the database's clock."""
        if self.beside.is_busy:
            return
        for sale in sales:
            if found := await self._due(connection, sale):
                self.beside.begin(self._do(sale, found))
                return

    async def _due(self, connection: Connection, sale: LiveSale) -> tuple[PrewarmStep, ...]:
        if sale.phase == "closed":
            return ()
        key = (sale.sale_number, sale.starts_at)
        first = due(sale.starts_at, sale.prewarm, self._done.get(key, frozenset()), sale.read_at)
        if not first.steps and not first.passed_over:
            return ()
        if len(self._done) > REMEMBERED:
            self._done.clear()
        self._done[key] = await steps.done(connection, *key)
        found = due(sale.starts_at, sale.prewarm, self._done[key], sale.read_at)
        if found.passed_over:
            await steps.pass_over(connection, *key, found.passed_over)
        return found.steps

    async def _do(self, sale: LiveSale, found: tuple[PrewarmStep, ...]) -> None:
        for step in found:
            try:
                await self._take(sale, step)
            except ANTICIPATED as error:
                about = {"sale_id": sale.sale_id, "step": step.name, "error": error}
                log.warning("a step ahead of a sale was not done, it is tried again", extra=about)

    async def _take(self, sale: LiveSale, step: PrewarmStep) -> None:
        key = (sale.sale_number, sale.starts_at)
        async with _opened(self._settings) as (pool, warming, readiness):
            async with pool.acquire() as connection:
                if not await steps.take(connection, *key, step.name, for_s=self._taken_s):
                    return
                now = await get_sale_by_number(connection, sale.sale_number)
            if now is None or now.starts_at != sale.starts_at:
                return  # it was moved: the new start has steps of its own
            if await self._is_starting(readiness, now, step):
                async with pool.acquire() as connection:
                    await steps.put_off(connection, *key, step.name, for_s=AGAIN_S)
                return
            checks = await warming.warm(now)
            if step.kind == "check":
                checks = await readiness.look(now) | checks
            await self._report(pool, now, step, checks)

    async def _is_starting(self, readiness: ReadinessCheck, sale: Sale, step: PrewarmStep) -> bool:
        """Say whether a check is to wait, for processes that the sale wants are being started."""
        if step.kind != "check" or self._settings.scaling == "none" or sale.prewarm.scale is None:
            return False
        return sale.read_at < waits_until(step, sale.starts_at) and await readiness.lacks_processes(sale)

    async def _report(self, pool: Pool, sale: Sale, step: PrewarmStep, checks: dict[str, dict[str, object]]) -> None:
        go = all(check["ok"] for check in checks.values())
        async with pool.acquire() as connection, connection.transaction():
            if not await steps.finish(connection, sale.number, sale.starts_at, step.name, {"go": go}):
                return  # another one was quicker
            if step.kind == "refill":
                return
            report = await tell(connection, sale, occasion=step.name, go=go, checks=checks)
        about = {"sale_id": sale.sale_id, "step": step.name}
        if go:
            log.info("a sale is ready: go", extra=about)
        else:
            log.warning("a sale is not ready: no-go", extra=about | {"failing": report.failing})


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[tuple[Pool, Warming, ReadinessCheck]]:
    """Open what a step needs, for its time."""
    catalogue = Catalogue(settings)
    pool = await pools.create_pool(
        settings.database_url.get_secret_value(), min_size=0, max_size=POOL_SIZE, application="doorbuster-prewarm"
    )
    stores = StoreChecks(settings, pool.acquire)
    try:
        await catalogue.open()
        yield pool, Warming(settings, catalogue), ReadinessCheck(settings, stores, pool.acquire, catalogue)
    finally:
        await stores.close()
        await catalogue.close()
        pool.terminate()
