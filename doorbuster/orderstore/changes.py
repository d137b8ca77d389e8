"""The channels of changes: orders that moved on, sales and units that changed, and who has heard. Owns their traffic.

A message is a hint: what it tells of is committed in Postgres before. Channels have no key and no slot; in a Cluster
every node passes them on.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from doorbuster import keys
from doorbuster.redis_roles import subscription
from doorbuster.redis_roles.servers import primaries

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractAsyncContextManager

    from redis.asyncio import Redis
    from redis.asyncio.client import Pipeline

    from doorbuster.redis_roles.subscription import NextMessage

ORDERS, SALES, HEARD = keys.OUTCOMES, keys.SALES, keys.HEARD
CHANNELS = (ORDERS, SALES, HEARD)
ID_BYTES = 16


async def publish_orders(redis: Redis, order_ids: Iterable[bytes]) -> None:
    """Say which orders changed, by the bytes of their ids."""
    await redis.publish(ORDERS, b"".join(order_ids))


def queue_orders(pipe: Pipeline, order_ids: Iterable[bytes]) -> None:
    """Put the same message behind other commands."""
    pipe.publish(ORDERS, b"".join(order_ids))


def ids_in(message: bytes) -> list[bytes]:
    """Return the ids of the orders that a message says have changed."""
    return [message[start : start + ID_BYTES] for start in range(0, len(message), ID_BYTES)]


async def publish_sale(redis: Redis, announcement: bytes) -> int:
    """Announce a change of a sale or of units; return how many processes listen, on whichever server of a Cluster."""
    reached = int(await redis.publish(SALES, announcement))
    servers = await primaries(redis)
    if len(servers) == 1:
        return reached
    counted = await asyncio.gather(*(one.client.pubsub_numsub(SALES) for one in servers), return_exceptions=True)
    return max(reached, sum(int(said[0][1]) for said in counted if not isinstance(said, BaseException)))


async def publish_heard(redis: Redis, announcement_id: bytes) -> None:
    """Say that this process acts by an announcement now."""
    await redis.publish(HEARD, announcement_id)


def subscribed(redis: Redis) -> AbstractAsyncContextManager[NextMessage]:
    """Subscribe to all channels; give what waits so many seconds for a message and returns its channel and content.

    Raises:
        RedisError, OSError, TimeoutError: also later, from what is given: messages may have been lost.
    """
    return subscription.subscribed(redis, *CHANNELS)
