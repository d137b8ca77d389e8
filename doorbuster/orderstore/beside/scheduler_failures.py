"""How often the scheduler met something broken, by part. Owns that count in the order store: slot of one key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from doorbuster import keys

if TYPE_CHECKING:
    from redis.asyncio import Redis


async def count_one(redis: Redis, part: str) -> None:
    """Count one more in a part."""
    await redis.hincrby(keys.SCHEDULER_FAILURES, part, 1)


async def read(redis: Redis) -> dict[str, int]:
    """Return the counts by part."""
    counted: Any = await redis.hgetall(keys.SCHEDULER_FAILURES)
    return {part.decode(): int(times) for part, times in counted.items()}
