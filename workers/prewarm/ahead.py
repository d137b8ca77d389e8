"""The scheduler's part that lies ahead of sales: the clock of each sale, the scale of all, the pace of the drains.

Owns their order alone; each goes on without the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.prewarm.clock import SaleClock
from workers.prewarm.drain_pace import DrainPaces
from workers.prewarm.scaler import Scaler

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis

    from db.connections.pool import Connection
    from db.sales import LiveSale
    from doorbuster.settings import Settings


class AheadOfSales:
    """Looks ahead."""

    def __init__(self, settings: Settings, orders: Redis) -> None:
        self.clock = SaleClock(settings)
        self.scaler = Scaler(settings, orders)
        self._paces = DrainPaces(orders)

    async def look(self, connection: Connection, sales: Sequence[LiveSale]) -> None:
        """Look once; the clock first, for it needs Postgres alone."""
        await self.clock.look(connection, sales)
        await self.scaler.look(connection, sales)
        await self._paces.look(connection, sales)

    async def close(self) -> None:
        """End what is under way; another scheduler takes it up."""
        await self.clock.beside.close()
        await self.scaler.close()
