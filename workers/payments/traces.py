"""Spans of payments and of what they lead to, of orders that have a trace. Only in use where traces are on."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, NamedTuple

from doorbuster import tracing
from doorbuster.failures import REDIS_FAILED
from doorbuster.orderstore import partition as streams

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from uuid import UUID

    from redis.asyncio import Redis

    from db.work.due_work import Partition


log = logging.getLogger("doorbuster.workers.traces")


class _Asked(NamedTuple):
    parent: str
    began_ns: int


class SettleTraces:
    """The traces of orders whose payments are under way in one shift."""

    def __init__(self, orders: Redis, partition: Partition) -> None:
        self._orders, self._partition = orders, partition
        self._asked: dict[UUID, _Asked] = {}

    async def asked(self, order_ids: Collection[UUID]) -> None:
        """Note which of the orders whose payment is asked for now have a trace."""
        new = [order_id for order_id in order_ids if order_id not in self._asked]
        if not new:
            return
        try:
            kept = await streams.read_traces(self._orders, self._partition, [one.bytes for one in new])
        except REDIS_FAILED as error:  # the payments matter more
            log.debug("traces cannot be read", extra={"error": repr(error)})
            return
        now = time.time_ns()
        self._asked |= {one: _Asked(parent, now) for one, parent in zip(new, kept, strict=True) if parent is not None}

    async def written(self, outcomes: Mapping[UUID, str], began_ns: int) -> None:
        """Make the spans of orders that are committed as paid, declined or whatever they are, by their state now."""
        ended = [order_id for order_id in outcomes if order_id in self._asked]
        for order_id in ended:
            parent, asked_ns = self._asked.pop(order_id)
            about = {"doorbuster.order_id": str(order_id), "doorbuster.status": outcomes[order_id]}
            settled = tracing.step("settle order", asked_ns, parent, about)
            tracing.step(f"pending > {outcomes[order_id]}", began_ns, settled, about)
        if not ended:
            return
        try:
            await streams.forget_traces(self._orders, self._partition, [one.bytes for one in ended])
        except REDIS_FAILED as error:  # they go by themselves within a day
            log.debug("traces cannot be forgotten", extra={"error": repr(error)})
