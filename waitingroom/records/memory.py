"""What the room's store remembers of a sale for its report: visits, and counts that Postgres has not been told of yet.

Owns who is asked; changes nothing.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from doorbuster.errors import StoreUnavailableError
from doorbuster.failures import REDIS_FAILED
from waitingroom.records import minutes, visits

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from waitingroom.records.minutes import Minute
    from waitingroom.records.visits import VisitRecords

EVER = 2**40


class RoomMemory:
    """Asks one store."""

    def __init__(self, redis: Redis, *, timeout_s: float) -> None:
        self._redis, self._timeout_s = redis, timeout_s

    async def visits(self, sale_number: int) -> VisitRecords | None:
        """Return what is known of a sale's visits; None: the store knows no such room.

        Raises:
            StoreUnavailableError: it does not answer in time.
        """
        return await visits.read(self._redis, sale_number, timeout_s=self._timeout_s)

    async def minutes(self, sale_number: int) -> dict[int, Minute]:
        """Return the minutes (Unix seconds / 60) that were added to since they were copied to Postgres.

        Raises:
            StoreUnavailableError: it does not answer in time.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                found = await minutes.to_copy(self._redis, [sale_number], EVER)
                return {minute: await minutes.read(self._redis, number, minute) for number, minute in found}
        except REDIS_FAILED as error:
            raise StoreUnavailableError(f"the room's store did not answer: {error!r}") from error

    async def forget_later(self, sale_number: int) -> None:
        """Let the visits go in a month: their figures are in the report.

        Raises:
            StoreUnavailableError: it does not answer in time.
        """
        await visits.keep(self._redis, sale_number, timeout_s=self._timeout_s)
