"""Units in stock as whoever moved them has just seen them, for pages: the one writer of their hash in the cache.

Approximate, and in nobody's way; what it means for a page is `shared.py`'s and `items.py`'s to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from doorbuster import keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis.asyncio import Redis


async def write(redis: Redis, left: Mapping[str, int]) -> None:
    """Write how many units of these products are left.

    Raises:
        RedisError, OSError, TimeoutError: the cache does not answer.
    """
    values: Any = dict(left)
    await redis.hset(keys.UNITS, mapping=values)
