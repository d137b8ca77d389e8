"""What the last audit found, as told in the jobs store. Owns that note; audits nothing, nothing is decided by it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from doorbuster import keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis.asyncio import Redis

AT = "at"


class LastAudit(NamedTuple):
    """The last audit."""

    breaches: dict[str, int]
    """Promise -> breaches."""
    age_s: float


async def tell(redis: Redis, breaches: Mapping[str, int]) -> None:
    """Note what an audit found just now.

    Raises:
        RedisError, OSError: the jobs store does not answer.
    """
    told: dict[Any, Any] = {AT: f"{time.time():.3f}", **breaches}
    async with redis.pipeline(transaction=True) as pipe:
        pipe.delete(keys.AUDITED)
        pipe.hset(keys.AUDITED, mapping=told)
        await pipe.execute()


async def read(redis: Redis) -> LastAudit | None:
    """Return what the last one found; None: there was none.

    Raises:
        RedisError, OSError: the jobs store does not answer.
    """
    told: Any = await redis.hgetall(keys.AUDITED)
    if not told:
        return None
    at_s = float(told.pop(AT.encode()))
    return LastAudit({name.decode(): int(count) for name, count in told.items()}, max(time.time() - at_s, 0.0))
