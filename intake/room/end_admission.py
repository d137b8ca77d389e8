"""Ends admissions before their time, when their visitors leave. Owns that step over all partitions; frees no slot.

An admission is good wherever its signature is read. So it is ended where orders are accepted, in every partition it
could be spent in, before the room lets somebody else in for it: at no moment do two buy in one slot.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from doorbuster.errors import StoreUnavailableError
from doorbuster.failures import REDIS_FAILED
from doorbuster.orderstore import spent

if TYPE_CHECKING:
    from doorbuster.orderstore.accept import AcceptScript
    from intake.sales.cache import CachedSale
    from waitingroom.admissions import Admission


class AdmissionEnder:
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
        ttl_ms = spent.count_ttl_ms(max(0, int((admission.expires_s - now_s) * 1000)))
        endings = [
            spent.end(
                self._redis, (cached.number, lane.partition), admission.spend_id,
                ttl_ms=ttl_ms, replicas=self._terms.replicas, replica_wait_ms=self._terms.replica_wait_ms,
            )
            for lane in cached.lanes
        ]  # fmt: skip
        try:
            return sum(await asyncio.gather(*endings))
        except REDIS_FAILED as error:
            raise StoreUnavailableError("The order store does not answer; the admission keeps its slot") from error
