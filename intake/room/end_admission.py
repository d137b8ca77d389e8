"""Ends admissions before their time, when their visitors leave. Owns that step in the order store; frees no slot.

An admission is good wherever its signature is read. So it is ended where orders are accepted, in every partition it
could be spent in, before the room lets somebody else in for it: at no moment do two buy in one slot.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from doorbuster import keys
from doorbuster.errors import StoreUnavailableError
from doorbuster.failures import REDIS_FAILED
from doorbuster.lua_script import Script
from intake.accepting.spend import count_ttl_ms

if TYPE_CHECKING:
    from intake.accepting.group_commit import AcceptScript
    from intake.sales.cache import CachedSale
    from waitingroom.admissions import Admission

_end_admission = Script.beside(__file__, "end_admission")


class Endings:
    """Ends admissions on the order store."""

    def __init__(self, script: AcceptScript) -> None:
        """Take the accept script: what it is run with, on as many replicas, has to know of an end."""
        self._redis = script.redis
        self._terms = script.terms

    async def end(self, cached: CachedSale, admission: Admission, *, now_s: float) -> int:
        """Let no further order be accepted with the admission; return how many were. Again changes nothing.

        Raises:
            StoreUnavailableError: it may still buy in some partition.
        """
        ttl_ms = count_ttl_ms(max(0, int((admission.expires_s - now_s) * 1000)))
        names = [keys.spent(cached.number, lane.partition, admission.spend_id) for lane in cached.lanes]
        try:
            return sum(await asyncio.gather(*(self._end(name, ttl_ms) for name in names)))
        except REDIS_FAILED as error:
            raise StoreUnavailableError("The order store does not answer; the admission keeps its slot") from error

    async def _end(self, name: str, ttl_ms: int) -> int:
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.eval(_end_admission.source, 1, name, str(ttl_ms))
            if self._terms.replicas:
                pipe.wait(self._terms.replicas, self._terms.replica_wait_ms)
            placed, *reached = await pipe.execute()
        if reached and reached[0] < self._terms.replicas:
            raise RedisError(f"the end reached {reached[0]} of {self._terms.replicas} replicas")
        return int(placed)
