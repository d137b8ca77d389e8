"""Keeps what is broken to itself: a failure in one sale's data is told, counted and passed by.

Owns that line between a store that is away, which ends a look, and data that no later try will heal, which must not.
"""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

from doorbuster.failures import TRANSIENT, is_broken
from doorbuster.orderstore.beside import scheduler_failures

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from redis.asyncio import Redis

log = logging.getLogger("doorbuster.workers.isolation")


class FailureIsolation:
    """Awaits pieces of work, and remembers which of them fail."""

    def __init__(self, orders: Redis) -> None:
        self._orders = orders
        self._failing: set[tuple[str, str]] = set()

    async def attempt(self, part: str, work: Callable[[], Awaitable[None]], *, sale_id: str = "") -> None:
        """Do a part's work, of one sale or all of it; what is broken there is logged once, counted each time.

        Raises:
            One of TRANSIENT: a store is away; the next piece would meet the same.
        """
        try:
            await work()
        except Exception as error:
            if not is_broken(error):
                raise
            if (part, sale_id) not in self._failing:
                self._failing.add((part, sale_id))
                about = {"part": part} | ({"sale_id": sale_id} if sale_id else {})
                log.error("a part of the scheduler failed; the others go on", extra=about, exc_info=error)
            await self._count(part)
        else:
            self._failing.discard((part, sale_id))

    async def _count(self, part: str) -> None:
        with contextlib.suppress(*TRANSIENT):
            await scheduler_failures.count_one(self._orders, part)
