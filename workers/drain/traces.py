"""Spans of a batch of the drain, for those of its orders that have a trace. Only in use where traces are on."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from uuid import UUID

from doorbuster import tracing
from doorbuster.failures import REDIS_FAILED
from doorbuster.orderstore import partition as streams

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from db.work.due_work import Partition
    from workers.drain.batch import Entry


log = logging.getLogger("doorbuster.workers.traces")


async def keep(orders: Redis, partition: Partition, batch: list[Entry]) -> dict[bytes, str]:
    """Return the traces of the batch's orders, by order id; kept before the commit, for the payment may be at once."""
    found = {entry.order.order_id: entry.order.traceparent for entry in batch if entry.order is not None}
    traced = {order_id: parent for order_id, parent in found.items() if parent is not None}
    if traced:
        try:
            await streams.keep_traces(orders, partition, traced)
        except REDIS_FAILED as error:  # then they end here: the orders matter more
            log.debug("traces cannot be kept", extra={"error": error})
    return traced


def tell(partition: Partition, traced: dict[bytes, str], began_ns: int, *, entries: int) -> None:
    """Make the spans of a batch that is committed: one of its own, and one of each order."""
    if not traced:
        return
    sale_number, number = partition
    about = {"doorbuster.sale_number": sale_number, "doorbuster.partition": number}
    tracing.batch("drain batch", began_ns, traced.values(), about | {"doorbuster.entries": entries})
    for order_id, parent in traced.items():
        tracing.step("drain order", began_ns, parent, {"doorbuster.order_id": str(UUID(bytes=order_id))})
