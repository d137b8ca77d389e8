"""The stream of order events for other systems. Owns its appending and its count; what an event says is the relay's.

Each verb touches one slot: that of `EVENTS`, or of a shadow's `shadow_events`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

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


class Appended(IntEnum):
    """What became of a batch."""

    NOT = -1
    """The last event of the stream is not the one that the relay knows: nothing was appended."""
    FIRST = 0
    BEHIND = 1


async def append(redis: Redis, events: Iterable[bytes], *, last: bytes = b"") -> Appended:
    """Append encoded events, none of which has a line break, behind the `last` one; empty: whichever that is."""
    return Appended(await _append.run(redis, [keys.EVENTS], KEEP, b"\n".join(events), last))


async def newest(redis: Redis) -> bytes | None:
    """Return the last event of the stream, None where there is none."""
    found: Any = await redis.xrevrange(keys.EVENTS, count=1)
    return found[0][1].get(b"event") if found else None


async def append_shadow(redis: Redis, shadow_number: int, events: Iterable[bytes]) -> None:
    """Append events of a rehearsal's shadow to a stream of its own."""
    await _append.run(redis, [keys.shadow_events(shadow_number)], KEEP_OF_SHADOW, b"\n".join(events), "")


async def count(redis: Redis) -> int:
    """Return how many events the stream was ever given."""
    if not await redis.exists(keys.EVENTS):
        return 0
    return int((await redis.xinfo_stream(keys.EVENTS))["entries-added"])
