"""The scheduler's part that lies ahead of sales: the clock of each sale, the scale of all, the pace of the drains.

Owns their order alone; each goes on without the others.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from workers.prewarm.clock import SaleClock
from workers.prewarm.drain_pace import DrainPaces
from workers.prewarm.plan import due
from workers.prewarm.scaler import Scaler
from workers.prewarm.wish import is_over

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis

    from db.connections.pool import Connection
    from db.sales import LiveSale
    from doorbuster.settings import Settings
    from workers.runtime.isolation import FailureIsolation


class AheadOfSales:
    """Looks ahead."""

    def __init__(self, settings: Settings, orders: Redis, isolation: FailureIsolation) -> None:
        self.clock = SaleClock(settings)
        self.scaler = Scaler(settings, orders)
        self._paces = DrainPaces(orders)
        self._isolation = isolation

    async def look(self, connection: Connection, sales: Sequence[LiveSale]) -> None:
        """Look once; the clock first, for it needs Postgres alone. A sale of impossible times stops no other."""
        sound: list[LiveSale] = []
        for sale in sales:
            await self._isolation.attempt("prewarm", partial(_reckon, sale, sound), sale_id=sale.sale_id)
        await self.clock.look(connection, sound)
        await self.scaler.look(connection, sound)
        await self._paces.look(connection, sound)

    async def close(self) -> None:
        """End what is under way; another scheduler takes it up."""
        await self.clock.beside.close()
        await self.scaler.close()


async def _reckon(sale: LiveSale, sound: list[LiveSale]) -> None:
    """Add the sale to those whose times and wishes can be reckoned with."""
    due(sale.starts_at, sale.prewarm, frozenset(), sale.read_at)
    is_over(sale, sale.read_at)
    sound.append(sale)
