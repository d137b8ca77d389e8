"""Removes every key of a rehearsal's shadow from a Redis server, whichever store it is. Owns the scan, no sale's key.

It goes through all keys in small steps: what a shadow wrote is told by the names alone, and none is kept a list of.
"""

from __future__ import annotations

from collections import defaultdict
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from doorbuster import keys
from doorbuster.values.shadows import is_shadow

if TYPE_CHECKING:
    from redis.asyncio import Redis

_PAGE = 2_000


async def remove_page(redis: Redis, shadow_number: int, cursor: int) -> tuple[int, int]:
    """Remove a shadow's keys among a page of a server's; return where the next begins, 0 after the last, and how many.

    One command for all keys of a slot: an order store syncs after each.

    Raises:
        ValueError: the number is a sale's.
        RedisError, OSError, TimeoutError: the server does not answer.
    """
    if not is_shadow(shadow_number):
        raise ValueError(f"sale {shadow_number} is no shadow")
    page: Any = await redis.scan(cursor, match=f"*{shadow_number}*", count=_PAGE)
    behind, names = page
    patterns = keys.traces_of(shadow_number)
    slots: defaultdict[bytes, list[bytes]] = defaultdict(list)
    for name in names:
        if any(fnmatchcase(name.decode(errors="replace"), pattern) for pattern in patterns):
            slots[_slot_of(name)].append(name)
    removed = 0
    for of_slot in slots.values():
        removed += int(await redis.unlink(*of_slot))
    return int(behind), removed


def _slot_of(name: bytes) -> bytes:
    """Return what tells the keys of a slot: their hash tag, or a key by itself."""
    _, _, behind = name.partition(b"{")
    tag, closed, _ = behind.partition(b"}")
    return tag if closed and tag else name
