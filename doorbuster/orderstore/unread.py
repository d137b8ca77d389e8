"""How old the oldest entry of a partition's stream is that nobody has drained. Owns that question to the order store.

By the order store's clock, which also gave the entry its time. Each command touches the slot of one partition: `gate`
or `stream`; the clock is asked first, so that an entry that comes meanwhile is of age 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from doorbuster import keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis.asyncio import Redis

Place = tuple[int, int]


class Unread(NamedTuple):
    """What the order store says of a partition."""

    accepted: int
    """Orders accepted so far."""
    refused: int
    """Orders refused so far because the backlog was full."""
    age_ms: int
    """Of the oldest entry behind the cursor; 0: there is none."""


async def look(redis: Redis, cursors: Mapping[Place, str]) -> dict[Place, Unread]:
    """Return it for partitions whose drains are at these cursors.

    Raises:
        RedisError, OSError: the order store does not answer.
    """
    if not cursors:
        return {}
    pipeline = redis.pipeline(transaction=False)
    for place, cursor in cursors.items():
        pipeline.hmget(keys.gate(*place), ["accepted", "full"])
        pipeline.xrange(keys.stream(*place), min=f"({cursor}", count=1)
        pipeline.time()  # of the server that has the stream, and gave its entries their times
    answers = await pipeline.execute()
    found = {}
    for place, counters, oldest, clock in zip(cursors, answers[::3], answers[1::3], answers[2::3], strict=True):
        found[place] = Unread(int(counters[0] or 0), int(counters[1] or 0), _age_ms(oldest, clock))
    return found


def _age_ms(oldest: list[Any], clock: tuple[int, int]) -> int:
    if not oldest:
        return 0
    accepted_ms = int(oldest[0][0].partition(b"-")[0])
    return max(clock[0] * 1000 + clock[1] // 1000 - accepted_ms, 0)
