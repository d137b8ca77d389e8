"""The channels of changes: orders that moved on, sales and units that changed, and who has heard. Owns their traffic.

A message is a hint: what it tells of is committed in Postgres before. Channels have no key and no slot; in a cluster
every node passes them on.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from doorbuster import keys

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

    from redis.asyncio import Redis
    from redis.asyncio.client import Pipeline

    NextMessage = Callable[[float], Awaitable[tuple[str, bytes] | None]]

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
    """Announce a change of a sale or of units; return how many processes listen."""
    return int(await redis.publish(SALES, announcement))


async def publish_heard(redis: Redis, announcement_id: bytes) -> None:
    """Say that this process acts by an announcement now."""
    await redis.publish(HEARD, announcement_id)


@asynccontextmanager
async def subscribed(redis: Redis) -> AsyncIterator[NextMessage]:
    """Subscribe to all channels; give what waits so many seconds for a message and returns its channel and content.

    Raises:
        RedisError, OSError, TimeoutError: also later, from what is given: messages may have been lost.
    """
    async with redis.pubsub(ignore_subscribe_messages=True) as subscription:
        await subscription.subscribe(*CHANNELS)

        async def next_message(within_s: float) -> tuple[str, bytes] | None:
            message: dict[str, Any] | None = await subscription.get_message(timeout=within_s)
            return None if message is None else (message["channel"].decode(), message["data"])

        yield next_message
