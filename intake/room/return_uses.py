"""The uses of an admission that come back: of orders that ended without units. Owns that question and its answer.

It is asked when it matters, by an order that finds its admission spent and by a claim that finds it finished, and of
Postgres, which has the truth: a cancelled order stays cancelled. So no worker has to tell, and none can forget.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from db.orders.transitions import cancelled_of
from doorbuster.errors import StoreUnavailableError
from doorbuster.failures import REDIS_FAILED
from doorbuster.orderstore import spent

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from doorbuster.orderstore.ids import Partition
    from doorbuster.orderstore.spent import Spent
    from intake.database import Database
    from intake.sales.cache import CachedSale

AGAIN_S = 0.1
"""How long it is not asked again of an admission of which nothing came back."""
ASKED_MAX = 20_000


class Uses:
    """Gives uses back."""

    def __init__(self, database: Database, redis: Redis) -> None:
        self._database, self._redis = database, redis
        self._asked: dict[str, float] = {}

    async def come_back(self, cached: CachedSale, spend_id: str) -> int:
        """Give back what orders of this admission took and did not get; return how many uses that are.

        Raises:
            StoreUnavailableError: the order store does not answer; Postgres' failures as they are.
        """
        name = f"{cached.number}/{spend_id}"
        now = time.monotonic()
        if self._asked.get(name, 0.0) > now:
            return 0
        back = 0
        try:
            for lane, one in zip(cached.lanes, await self._spent(cached, spend_id), strict=True):
                if one.order_ids and one.placed < spent.ENDED:
                    back += await self._give_back((cached.number, lane.partition), spend_id, one)
        except REDIS_FAILED as error:
            raise StoreUnavailableError("The order store does not answer; try again") from error
        if not back:
            if len(self._asked) >= ASKED_MAX:
                self._asked.clear()
            self._asked[name] = now + AGAIN_S
        return back

    async def is_left(self, cached: CachedSale, spend_id: str, *, allowed: int) -> bool:
        """Say whether an admission that orders were placed with allows another: uses of it came back, now or before.

        Raises:
            StoreUnavailableError: as `come_back`.
        """
        await self.come_back(cached, spend_id)
        try:
            found = await self._spent(cached, spend_id)
        except REDIS_FAILED as error:
            raise StoreUnavailableError("The order store does not answer; try again") from error
        returned = sum(one.returned for one in found)
        return returned > 0 and sum(one.placed for one in found) - returned < allowed

    async def _spent(self, cached: CachedSale, spend_id: str) -> list[Spent]:
        return await spent.read(self._redis, [(cached.number, lane.partition) for lane in cached.lanes], spend_id)

    async def _give_back(self, partition: Partition, spend_id: str, one: Spent) -> int:
        async with self._database.reading("room") as connection:
            cancelled = await cancelled_of(connection, one.order_ids)
        return await spent.give_back(self._redis, partition, spend_id, cancelled) if cancelled else 0
