"""Says which orders changed, to whoever waits for them. Owns the message; Postgres stays the truth."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from doorbuster.failures import REDIS_FAILED
from doorbuster.orderstore import changes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from redis.asyncio import Redis

log = logging.getLogger("doorbuster.workers.outcomes")


async def publish(redis: Redis, order_ids: Sequence[UUID]) -> None:
    """Publish the ids of orders whose change is committed.

    A store that is away stops nothing: who waits for an order also reads it from Postgres in time.
    """
    if not order_ids:
        return
    try:
        await changes.publish_orders(redis, (order_id.bytes for order_id in order_ids))
    except REDIS_FAILED as error:
        log.warning("outcomes were not told", extra={"orders": len(order_ids), "error": error})
