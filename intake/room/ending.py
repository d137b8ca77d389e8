"""Ends admissions before their time, when their visitors leave. Owns that step in the order store; frees no slot.

An admission is good wherever its signature is read. So it is ended where orders are accepted, in every partition it
could be spent in, before the room lets somebody else in for it: at no moment do two buy in one slot.
"""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from redis.exceptions import NoScriptError, RedisError

import intake
from doorbuster.errors import StoreUnavailableError
from intake.admission import Pass

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from intake.group_commit import Spend
    from intake.sales import CachedSale
    from waitingroom.admissions import Admission

_SOURCE = Path(intake.__file__).with_name("scripts").joinpath("end_admission.lua").read_text()
_SHA = hashlib.sha1(_SOURCE.encode(), usedforsecurity=False).hexdigest()


class Endings:
    """Ends admissions on the order store."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def end(self, cached: CachedSale, admission: Admission, *, now_s: float) -> int:
        """Let no further order be accepted with the admission; return how many were. Again changes nothing.

        Raises:
            StoreUnavailableError: it may still buy in some partition.
        """
        life_ms = max(0, int((admission.expires_s - now_s) * 1000))
        ended = Pass(admission.spend_id, admission.orders_allowed, admission.epoch, life_ms, admission)
        spends = [ended.spend(lane.spent_prefix) for lane in cached.lanes]
        try:
            return sum(await asyncio.gather(*map(self._end, spends)))
        except (RedisError, OSError, TimeoutError) as error:
            raise StoreUnavailableError("The order store does not answer; the admission keeps its slot") from error

    async def _end(self, spend: Spend) -> int:
        arguments = (spend.key, str(spend.ttl_ms))
        try:
            placed = await self._redis.evalsha(_SHA, 1, *arguments)
        except NoScriptError:
            placed = await self._redis.eval(_SOURCE, 1, *arguments)
        return int(placed)
