"""The stream of order events for other systems. Owns its appending and its count; what an event says is the relay's.

Each verb touches one slot: that of `EVENTS`, or of a shadow's `shadow_events`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doorbuster import keys
from doorbuster.lua_script import Script

if TYPE_CHECKING:
    from collections.abc import Iterable

    from redis.asyncio import Redis

KEEP = 500_000
"""Events the stream holds, about; who reads more slowly than that reads Postgres."""

KEEP_OF_SHADOW = 10_000
"""Events of a shadow that are kept, about: nobody reads them."""

_append = Script.beside(__file__, "append_events")


async def append(redis: Redis, events: Iterable[bytes]) -> bool:
    """Append encoded events, none of which has a line break; say whether the stream was there before."""
    return bool(await _append.run(redis, [keys.EVENTS], KEEP, b"\n".join(events)))


async def append_shadow(redis: Redis, shadow_number: int, events: Iterable[bytes]) -> None:
    """Append events of a rehearsal's shadow to a stream of its own."""
    await _append.run(redis, [keys.shadow_events(shadow_number)], KEEP_OF_SHADOW, b"\n".join(events))


async def count(redis: Redis) -> int:
    """Return how many events the stream was ever given."""
    if not await redis.exists(keys.EVENTS):
        return 0
    return int((await redis.xinfo_stream(keys.EVENTS))["entries-added"])
