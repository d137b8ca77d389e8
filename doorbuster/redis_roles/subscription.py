"""Subscribing to channels of a role, on whichever node. Owns the sign of life that a subscription must give.

In a Cluster a message goes to all nodes, so that one subscription hears everything. A server that hangs would leave it
silent for ever, with no error: so silence is asked about, and a subscription that does not answer has broken.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from redis.exceptions import TimeoutError as RedisTimeoutError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from redis.asyncio import Redis

    NextMessage = Callable[[float], Awaitable[tuple[str, bytes] | None]]

SILENT_S = 1.0
"""After so long without a word the server is asked for one."""
ANSWER_S = 2.0
"""How long that may take."""


@asynccontextmanager
async def subscribed(redis: Redis, *channels: str) -> AsyncIterator[NextMessage]:
    """Subscribe; give what waits so many seconds for a message and returns its channel and content.

    Raises:
        RedisError, OSError, TimeoutError: also later, from what is given: messages may have been lost.
    """
    loop = asyncio.get_running_loop()
    async with redis.pubsub(ignore_subscribe_messages=True) as subscription:
        await subscription.subscribe(*channels)
        heard, asked = loop.time(), False

        async def next_message(within_s: float) -> tuple[str, bytes] | None:
            nonlocal heard, asked
            message: dict[str, Any] | None = await subscription.get_message(timeout=within_s)
            now = loop.time()
            if message is not None:
                heard, asked = now, False
                return (message["channel"].decode(), message["data"]) if message["type"] == "message" else None
            if now - heard > SILENT_S + ANSWER_S and asked:
                raise RedisTimeoutError("the subscription's server gives no sign of life")
            if now - heard > SILENT_S and not asked:
                asked = True
                await subscription.ping()
            return None

        yield next_message
