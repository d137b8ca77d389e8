"""How long a Redis server has been up and what its clock says, whichever store it is. Names no key, changes nothing."""

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


async def clock_s(redis: Redis) -> float:
    """Return what its clock says, in Unix seconds.

    Raises:
        RedisError, OSError, TimeoutError: the server does not answer.
    """
    seconds, microseconds = await redis.time()
    return int(seconds) + int(microseconds) / 1e6
