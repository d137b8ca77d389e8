"""How long a Redis server has been up, whichever store it is. Owns that question; names no key, changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redis.asyncio import Redis


async def age_s(redis: Redis) -> float:
    """Return it in seconds.

    Raises:
        RedisError, OSError, TimeoutError: the server does not answer.
    """
    await redis.ping()
    said = await redis.info("server")
    return float(said.get("uptime_in_seconds", 0))
