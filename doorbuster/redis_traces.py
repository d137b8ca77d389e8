"""Removes every key of a rehearsal's shadow from a Redis server, whichever store it is. Owns the scan, no sale's key.

It goes through all keys in small steps: what a shadow wrote is told by the names alone, and none is kept a list of.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from doorbuster import keys
from doorbuster.values.shadows import is_shadow

if TYPE_CHECKING:
    from redis.asyncio import Redis

_PAGE = 1_000


async def remove(redis: Redis, shadow_number: int) -> int:
    """Remove all keys of a shadow from a server; return how many.

    Raises:
        ValueError: the number is a sale's.
        RedisError, OSError, TimeoutError: the server does not answer.
    """
    if not is_shadow(shadow_number):
        raise ValueError(f"sale {shadow_number} is no shadow")
    patterns, removed, cursor = keys.traces_of(shadow_number), 0, 0
    while True:
        page: Any = await redis.scan(cursor, match=f"*{shadow_number}*", count=_PAGE)
        cursor, names = page
        for name in names:
            if any(fnmatchcase(name.decode(errors="replace"), pattern) for pattern in patterns):
                removed += int(await redis.unlink(name))
        if cursor == 0:
            return removed
