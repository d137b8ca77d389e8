"""Puts changes of sales and shelves in force: gates, room, sold-out flags, then every process. Owns that sequence.

Postgres has the change before. When this returns, the next request meets it, whichever process takes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from intake.changes.announcements import Announcements

if TYPE_CHECKING:
    from collections.abc import Collection

    from redis.asyncio import Redis

    from db.sales import Sale
    from intake.changes.announcements import Announcement
    from intake.room.cache import RoomCache
    from intake.sales.cache import Sales


class ChangePublisher:
    """Puts changes in force, and acts by those of other processes."""

    def __init__(self, redis: Redis, sales: Sales, desk: RoomCache) -> None:
        self._sales, self._desk = sales, desk
        self.announcing = Announcements(redis, self._act_by)

    async def sale(self, sale: Sale) -> None:
        """Put a sale's change in force.

        Raises:
            RedisError, OSError, TimeoutError: the order store does not answer.
        """
        await self._sales.publish(sale)
        await self._desk.configure(self._sales.put(sale))
        await self.announcing.tell(sale_id=sale.sale_id, version=sale.version)

    async def gone(self, shadow: Sale) -> None:
        """Have every process drop a shadow that is closed in Postgres already.

        Raises:
            RedisError, OSError, TimeoutError: the order store does not answer.
        """
        await self._sales.retire(shadow)
        await self.announcing.tell(sale_id=shadow.sale_id, version=shadow.version)

    async def shelf(self, products: Collection[str]) -> None:
        """Let products be had again, whose flags are taken away by now, or be shown at their new prices.

        Raises:
            RedisError, OSError, TimeoutError: the order store does not answer.
        """
        await self.announcing.tell(products=products)

    async def _act_by(self, told: Announcement) -> None:
        """Read anew what this process has copies of."""
        if told.sale_id:
            await self._sales.renew(told.sale_id, told.version)
            if not self._sales.holds(told.sale_id):
                self._desk.forget(told.sale_id)
        for cached in self._sales.all(shadows=True):
            if cached.sale.sale_id == told.sale_id or not cached.sale.products.keys().isdisjoint(told.products):
                await self._sales.look_at_shelves([cached])
                cached.offers = None
                await self._desk.renew(cached)
