"""The highest timeline that anybody saw of each Postgres cluster. Owns that hash; what follows from it is `db`'s.

It outlives the processes that saw it: one that begins while a primary that was replaced answers again, and its
successor does not, must know that there is one. Each verb touches one key: `TIMELINES`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doorbuster import keys
from doorbuster.lua_script import Script

if TYPE_CHECKING:
    from redis.asyncio import Redis

_raise_timeline = Script.beside(__file__, "raise_timeline")


class Timelines:
    """The hash, as a fence asks it."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def raise_to(self, cluster_id: int, timeline: int) -> int:
        """Note a timeline that was seen; return the highest that anybody saw. Safe to repeat.

        Raises:
            RedisError, OSError, TimeoutError: the order store does not answer.
        """
        return int(await _raise_timeline.run(self._redis, [keys.TIMELINES], cluster_id, timeline))
