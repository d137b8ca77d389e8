"""How full the order store is. Owns the bound in bytes of what is accepted; the script's own bound is in orders.

An order may take 300 bytes or 16 KiB, so their number bounds no memory. Past `FULL_AT` of its memory the store takes
no new orders (503 `overloaded`), while retries replay and what was accepted is drained; the last tenth is for that.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from doorbuster.failures import STORE_FAILED
from doorbuster.orderstore import server

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from doorbuster.orderstore.accept import AcceptScript

log = logging.getLogger("doorbuster.intake.durability")

FULL_AT = 0.9
LOOK_S = 0.5
"""How often to look; what can be accepted meanwhile fits into the last tenth."""
MIB = 2**20
UNBOUNDED = "nothing bounds the memory of the order store: set its maxmemory, and ORDER_STORE_MAX_MB to the same"


class StoreMemory:
    """Looks how full the order store is, and lets the script take no new orders while it is."""

    def __init__(self, redis: Redis, script: AcceptScript, *, limit_mb: int | None) -> None:
        self._redis = redis
        self._script = script
        self._limit = None if limit_mb is None else limit_mb * MIB
        self._used = 0
        self._maxmemory: int | None = None
        """None before the first look; 0: the server has no bound of its own."""
        self.is_full = False

    @property
    def check(self) -> dict[str, Any]:
        """Say in a check of readiness how the store's memory is bounded."""
        if self.is_full:
            limit_mb = (self._limit or 0) // MIB
            return {"ok": False, "reason": f"the order store is full: {self._used // MIB} of {limit_mb} MiB are used"}
        return {"ok": True, "notes": [UNBOUNDED]} if self._is_unbounded else {"ok": True}

    @property
    def ratio(self) -> float | None:
        """How much of its memory the store uses; None: nothing bounds it, or it was not read yet."""
        bounds = [bound for bound in (self._limit, self._maxmemory) if bound]
        return self._used / min(bounds) if bounds and self._maxmemory is not None else None

    @property
    def _is_unbounded(self) -> bool:
        return self._limit is None and self._maxmemory == 0

    async def keep_looking(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            try:
                await self.look()
            except STORE_FAILED as error:  # whether it answers is another check; nothing is accepted meanwhile
                log.debug("the memory of the order store cannot be read", extra={"error": error})
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Look once."""
        is_first = self._maxmemory is None
        self._used, self._maxmemory = await server.memory(self._redis)
        if is_first and self._is_unbounded:
            log.warning(UNBOUNDED)
        was, self.is_full = self.is_full, self._limit is not None and self._used > self._limit * FULL_AT
        self._script.take_new(not self.is_full)
        if self.is_full and not was:
            log.error("orders are refused, the order store is full", extra={"used_bytes": self._used})
        elif was and not self.is_full:
            log.info("the order store has room again", extra={"used_bytes": self._used})
