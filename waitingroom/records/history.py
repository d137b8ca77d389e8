"""The last quarter of an hour of a sale, a sample a second, and whose turn it is to write it. Owns that list's bounds.

What a sample is only its writers know. Each verb touches the slot of one sale: `sale_live`, `sale_live_turn`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from doorbuster import keys

if TYPE_CHECKING:
    from redis.asyncio import Redis

SAMPLES_MAX = 1_000
"""A little more than one a second: who asks between two seconds may leave one of its own."""
KEEP_S = 3_600
TURN_MS = 2_500
"""How long a writer that says nothing keeps its turn: one and the same goes on as long as it lives."""


async def take_turn(redis: Redis, number: int, writer: str) -> bool:
    """Say whether this writer is the one for now."""
    name = keys.sale_live_turn(number)
    async with redis.pipeline(transaction=False) as pipe:
        pipe.set(name, writer, nx=True, px=TURN_MS)
        pipe.get(name)
        _, holder = await pipe.execute()
    if holder != writer.encode():
        return False
    await redis.pexpire(name, TURN_MS)
    return True


async def add(redis: Redis, number: int, sample: bytes) -> None:
    """Add the newest sample."""
    name = keys.sale_live(number)
    async with redis.pipeline(transaction=True) as pipe:
        pipe.rpush(name, sample)
        pipe.ltrim(name, -SAMPLES_MAX, -1)
        pipe.expire(name, KEEP_S)
        await pipe.execute()


async def newest(redis: Redis, number: int, count: int = 1) -> list[bytes]:
    """Return the newest samples, oldest first."""
    found: Any = await redis.lrange(keys.sale_live(number), -count, -1)
    return list(found)


async def forget(redis: Redis, number: int) -> None:
    """Take the samples of a sale away that is to leave no trace."""
    await redis.delete(keys.sale_live(number), keys.sale_live_turn(number))
