"""Tells the room's store what this process counted of each sale, once a second. Owns the telling and its repetition.

What is told is safe to tell again, so that nothing counts twice. A process that is killed loses what it counted in its
last second, and what a store that was away meanwhile has not heard.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import time
from typing import TYPE_CHECKING

from doorbuster.failures import ANTICIPATED, STORE_FAILED
from waitingroom.records import minutes
from waitingroom.records.minutes import Batch

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis.asyncio import Redis

    from intake.sales.cache import Sales

log = logging.getLogger("doorbuster.intake.minutes")

FLUSH_S = 1.0
BATCHES_MAX = 2_000
"""Batches that wait for a store that is away; beyond it the oldest are given up."""


class MinuteFlush:
    """Tells the room's store what was counted."""

    def __init__(self, sales: Sales, redis: Redis, clock: Callable[[], float] = time.time) -> None:
        self._sales, self._redis, self._clock = sales, redis, clock
        self._counts = sales.counts
        self._writer = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._sequence = 0
        self._open: dict[tuple[int, int], dict[str, int]] = {}
        """By sale number and ten seconds, what was never sent."""
        self._sent: list[Batch] = []
        """What was sent and perhaps not added."""
        self._is_away = False

    async def keep_flushing(self) -> None:
        """Tell at every full second, until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_S - self._clock() % FLUSH_S)
            await self._look_up()
            await self.flush()

    async def flush(self) -> None:
        """Tell what was counted; what the store does not answer is told again the next time."""
        self._take()
        try:
            while self._sent or self._open:
                if not self._sent:
                    self._sent.append(self._next())
                await minutes.add(self._redis, self._sent[0])
                del self._sent[0]
        except STORE_FAILED as error:
            if not self._is_away:
                log.warning("counts by minute wait for the room's store", extra={"error": error})
            self._is_away = True
        else:
            self._is_away = False

    async def _look_up(self) -> None:
        """Find the sales of which something was counted before this process knew them."""
        for sale_id in self._counts.not_at_hand():
            try:
                cached = await self._sales.get(sale_id)
            except ANTICIPATED:  # told by whoever asked for the sale; it is looked up again
                return
            self._counts.settle(sale_id, None if cached is None else cached.number)
        self._counts.keep({cached.number for cached in self._sales.all()})

    def _take(self) -> None:
        # What was counted up to a full second was counted before it.
        tens = int((self._clock() - FLUSH_S / 2) // 10)
        for number, counts in self._counts.take().items():
            waiting = self._open.setdefault((number, tens), {})
            for name, count in counts.items():
                waiting[name] = waiting.get(name, 0) + count
        given_up = 0
        while len(self._open) > BATCHES_MAX:
            del self._open[next(iter(self._open))]
            given_up += 1
        if given_up:
            log.error("counts by minute are lost: the room's store is away for too long", extra={"batches": given_up})

    def _next(self) -> Batch:
        (number, tens), counts = next(iter(self._open.items()))
        del self._open[number, tens]
        self._sequence += 1
        return Batch(number, tens, self._writer, self._sequence, counts)
