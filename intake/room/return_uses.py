"""The uses of an admission that come back: of orders that ended without units. Owns that question and its answer.

It is asked when it matters, by an order that finds its admission spent and by a claim that finds it finished, and of
Postgres, which has the truth: a cancelled order stays cancelled. So no worker has to tell, and none can forget.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from db.orders.transitions import cancelled_of
from doorbuster import keys
from doorbuster.errors import StoreUnavailableError
from doorbuster.failures import REDIS_FAILED
from doorbuster.lua_script import Script

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from intake.database import Database
    from intake.sales.cache import CachedSale

_return_uses = Script.beside(__file__, "return_uses")

ENDED = 1_000_000_000
"""Added to the orders of an admission whose visitor has left; see intake/room/scripts/end_admission.lua."""
ID_DIGITS = 32
AGAIN_S = 0.1
"""How long it is not asked again of an admission of which nothing came back."""
ASKED_MAX = 20_000


class Spent(NamedTuple):
    """What the order store has of an admission in one partition."""

    placed: int
    returned: int
    order_ids: tuple[UUID, ...]
    """Orders that may still end without units: the last ones placed with it."""


def read_spent(value: bytes | None) -> Spent:
    """Return what a `spent` key says; before any came back it may be a number alone."""
    placed, _, rest = (value or b"0").decode().partition(",")
    returned, _, ids = rest.partition(",")
    found = tuple(UUID(ids[start : start + ID_DIGITS]) for start in range(0, len(ids), ID_DIGITS))
    return Spent(int(placed), int(returned or "0"), found)


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
            for key, spent in await self._spent(cached, spend_id):
                if spent.order_ids and spent.placed < ENDED:
                    back += await self._give_back(key, spent)
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
            found = [spent for _, spent in await self._spent(cached, spend_id)]
        except REDIS_FAILED as error:
            raise StoreUnavailableError("The order store does not answer; try again") from error
        returned = sum(spent.returned for spent in found)
        return returned > 0 and sum(spent.placed for spent in found) - returned < allowed

    async def _spent(self, cached: CachedSale, spend_id: str) -> list[tuple[str, Spent]]:
        names = [keys.spent(cached.number, lane.partition, spend_id) for lane in cached.lanes]
        async with self._redis.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.get(name)
            values: list[Any] = await pipe.execute()
        return [(name, read_spent(value)) for name, value in zip(names, values, strict=True)]

    async def _give_back(self, key: str, spent: Spent) -> int:
        async with self._database.reading() as connection:
            cancelled = await cancelled_of(connection, spent.order_ids)
        if not cancelled:
            return 0
        return int(await _return_uses.run(self._redis, [key], *(UUID(int=one.int).hex for one in cancelled)))
