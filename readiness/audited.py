"""What the last audit found, as told in the jobs store by whoever made it. Owns that note; audits nothing itself."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from doorbuster import keys

if TYPE_CHECKING:
    from redis import Redis as JobsRedis
    from redis.asyncio import Redis

    from doorbuster.contract.night.promises import PromisesView

AT = "at"


class LastAudit(NamedTuple):
    """The last audit."""

    breaches: dict[str, int]
    """Promise -> breaches that ops have not acknowledged."""
    age_s: float


async def tell(redis: Redis, found: PromisesView) -> None:
    """Note what an audit found, whoever asked for it: ops by HTTP, the command line, a report.

    Raises:
        RedisError, OSError: the jobs store does not answer.
    """
    async with redis.pipeline(transaction=True) as pipe:
        pipe.delete(keys.AUDITED)
        pipe.hset(keys.AUDITED, mapping=_note(found))
        await pipe.execute()


def tell_from_thread(jobs: JobsRedis, found: PromisesView) -> None:
    """Do the same by the scheduler's client, which waits; raises what `tell` does."""
    with jobs.pipeline(transaction=True) as pipe:
        pipe.delete(keys.AUDITED)
        pipe.hset(keys.AUDITED, mapping=_note(found))
        pipe.execute()


def _note(found: PromisesView) -> dict[Any, Any]:
    breaches: Counter[str] = Counter()
    for figure in found.figures:
        breaches[figure.promise] += figure.breaches - figure.acknowledged
    return {AT: f"{found.at.timestamp():.3f}", **breaches}


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
