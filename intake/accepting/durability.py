"""Whether the order store really keeps what it accepts. Owns when it is asked and what follows; changes nothing there.

A 202 promises durability (P1), so a store that does not sync each write, evicts keys or fails to write gets no orders:
every post is refused until a later check finds it right. DURABILITY names a weaker level when that is meant.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from doorbuster.failures import STORE_FAILED
from readiness.durability import judge

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = logging.getLogger("doorbuster.intake.durability")

AGAIN_S = 0.25
"""When to ask a store again that was away or not durable: a check that met a short outage must not outlast it."""


class Durability:
    """The last verdict on the order store; not durable until a check said so."""

    def __init__(self, redis: Redis, *, level: str, every_s: float) -> None:
        self._redis = redis
        self._level = level
        self._every_s = every_s
        self.faults: list[str] = ["the order store was not checked yet"]
        self.notes: list[str] = []
        self.switches: list[str] = []
        """Which switch of the order store to another server was safe at the last check."""

    @property
    def level(self) -> str:
        """What an order must reach before its 202."""
        return self._level

    async def check(self) -> bool:
        """Ask the store how it keeps data; say whether that is enough."""
        try:
            faults, notes, switches = await judge(self._redis, self._level)
        except STORE_FAILED as error:
            faults, notes, switches = [f"the order store cannot be asked: {type(error).__name__}"], [], []
        if faults and faults != self.faults:
            log.error("orders are refused, the order store is not durable", extra={"faults": faults})
        elif self.faults and not faults:
            log.info("the order store is durable enough", extra={"durability": self._level})
        if notes and notes != self.notes:
            log.warning("the order store's durability is not whole, or taken on trust", extra={"notes": notes})
        self.faults, self.notes, self.switches = faults, notes, switches
        return not faults

    async def keep_checking(self) -> None:
        """Check from time to time, and soon again while orders are refused, until cancelled."""
        while True:
            await asyncio.sleep(min(self._every_s, AGAIN_S) if self.faults else self._every_s)
            await self.check()
