"""Signs of life of intake processes in the jobs store: that they live, their clocks, their keys.

Owns their form and how long one may be silent. What is signed with never leaves the process: only the keys' ids do.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec

from doorbuster import keys
from readiness.fleet_checks import IntakeSign

if TYPE_CHECKING:
    from redis.asyncio import Redis

SILENT_S = 15.0
"""Three times the pause between two signs."""
KEPT_S = 3_600
PROCESSES_MAX = 2_000
_decode = msgspec.json.Decoder(IntakeSign).decode


async def give(redis: Redis, sign: IntakeSign) -> None:
    """Give a sign of life, and forget who has given none for an hour."""
    async with redis.pipeline(transaction=False) as pipe:
        pipe.hset(keys.INTAKES, sign.name, msgspec.json.encode(sign))
        pipe.expire(keys.INTAKES, KEPT_S)
        await pipe.execute()
    if gone := [one.name for one in await _all(redis) if one.seen_s < time.time() - KEPT_S]:
        await redis.hdel(keys.INTAKES, *gone)


async def end(redis: Redis, name: str) -> None:
    """Take a sign back: the process ends."""
    await redis.hdel(keys.INTAKES, name)


async def alive(redis: Redis) -> list[IntakeSign]:
    """Return the signs of the processes that live.

    Raises:
        RedisError, OSError, TimeoutError: the jobs store does not answer.
    """
    since = time.time() - SILENT_S
    return [sign for sign in await _all(redis) if sign.seen_s >= since]


async def _all(redis: Redis) -> list[IntakeSign]:
    told: dict[Any, Any] = await redis.hgetall(keys.INTAKES)
    found = []
    for text in list(told.values())[:PROCESSES_MAX]:
        try:
            found.append(_decode(text))
        except msgspec.DecodeError:  # of another version; it says what it says to its own
            continue
    return found
