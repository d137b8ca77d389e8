"""How long a role's servers have been up and what their clocks say, whichever it is. Names no key, changes nothing."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from doorbuster.redis_roles.servers import primaries

if TYPE_CHECKING:
    from redis.asyncio import Redis


async def age_s(redis: Redis) -> float:
    """Return in seconds how long the one of its primaries has been up that began last.

    Raises:
        RedisError, OSError, TimeoutError: one of them does not answer.
    """
    return min(await asyncio.gather(*(_age_s(one.client) for one in await primaries(redis))))


async def clock_s(redis: Redis) -> float:
    """Return what its clock says, in Unix seconds; of several primaries' the one furthest from this process's.

    Raises:
        RedisError, OSError, TimeoutError: one of them does not answer.
    """
    clocks = await asyncio.gather(*(_clock_s(one.client) for one in await primaries(redis)))
    now = time.time()
    return max(clocks, key=lambda clock: abs(clock - now))


async def _age_s(redis: Redis) -> float:
    await redis.ping()
    said = await redis.info("server")
    return float(said.get("uptime_in_seconds", 0))


async def _clock_s(redis: Redis) -> float:
    seconds, microseconds = await redis.time()
    return int(seconds) + int(microseconds) / 1e6
