"""Spans of payments and of what they lead to, of orders that have a trace. Only in use where traces are on."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, NamedTuple

from db.work.due_work import Partition
from doorbuster import tracing
from doorbuster.failures import REDIS_FAILED
from doorbuster.orderstore import partition as streams
from doorbuster.orderstore.ids import route_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from uuid import UUID

    from redis.asyncio import Redis

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
            log.debug("traces cannot be read", extra={"error": error})
            return
        now = time.time_ns()
        self._asked |= {one: _Asked(parent, now) for one, parent in zip(new, kept, strict=True) if parent is not None}

    async def written(self, outcomes: Mapping[UUID, str], began_ns: int, *, left: Iterable[UUID] = ()) -> None:
        """Make the spans of orders that are committed as paid, declined or whatever they are, by their state now.

        Those that are `left` to the money shift go on there.
        """
        for order_id in left:
            self._asked.pop(order_id, None)
        ended = [order_id for order_id in outcomes if order_id in self._asked]
        for order_id in ended:
            parent, asked_ns = self._asked.pop(order_id)
            _tell(order_id, outcomes[order_id], parent, (asked_ns, began_ns))
        if ended:
            await _forget(self._orders, self._partition, ended)


async def settled_late(orders: Redis, outcomes: Mapping[UUID, str], began_ns: int) -> None:
    """Make the spans of orders that the money shift has confirmed or cancelled, for their provider answered late."""
    by_partition: dict[tuple[int, int], list[UUID]] = {}
    for order_id in outcomes:
        by_partition.setdefault(route_of(order_id), []).append(order_id)
    for route, order_ids in by_partition.items():
        partition = Partition(*route)
        try:
            kept = await streams.read_traces(orders, partition, [one.bytes for one in order_ids])
        except REDIS_FAILED as error:  # the money matters more
            log.debug("traces cannot be read", extra={"error": error})
            continue
        traced = {one: parent for one, parent in zip(order_ids, kept, strict=True) if parent is not None}
        for order_id, parent in traced.items():
            _tell(order_id, outcomes[order_id], parent, (began_ns, began_ns))
        if traced:
            await _forget(orders, partition, traced)


def _tell(order_id: UUID, status: str, parent: str, began_ns: tuple[int, int]) -> None:
    """Make the spans of a payment and of the transition that it led to."""
    about = {"doorbuster.order_id": str(order_id), "doorbuster.status": status}
    settled = tracing.step("settle order", began_ns[0], parent, about)
    tracing.step(f"pending > {status}", began_ns[1], settled, about)


async def _forget(orders: Redis, partition: Partition, order_ids: Iterable[UUID]) -> None:
    try:
        await streams.forget_traces(orders, partition, [one.bytes for one in order_ids])
    except REDIS_FAILED as error:  # they go by themselves within a day
        log.debug("traces cannot be forgotten", extra={"error": error})
