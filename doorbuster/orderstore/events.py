"""The stream of order events for other systems. Owns its appending and its count; what an event says is the relay's.

Each verb touches one slot: that of `EVENTS`, or of a shadow's `shadow_events`.
"""

from __future__ import annotations

import asyncio
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from doorbuster import keys
from doorbuster.failures import REDIS_FAILED
from doorbuster.lua_script import Script
from doorbuster.orderstore.accept import packed
from doorbuster.redis_roles.meaning import may_pass
from doorbuster.redis_roles.servers import route_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from redis.asyncio import Redis
    from redis.asyncio.connection import AbstractConnection

KEEP = 500_000
"""Events the stream holds, about; who reads more slowly than that reads Postgres."""

KEEP_OF_SHADOW = 10_000
"""Events of a shadow that are kept, about: nobody reads them."""

APPEND_S = 5.0
"""How long a batch may take, from asking for a connection to the last byte of the answer."""

_append = Script.beside(__file__, "append_events")

_NEWEST = packed("XREVRANGE", keys.EVENTS, "+", "-", "COUNT", 1)
_WATCH = [packed("WATCH", keys.EVENTS), packed("EXISTS", keys.EVENTS), _NEWEST]
_BEGIN = [packed("CLIENT", "REPLY", "OFF"), packed("MULTI")]
_END = [packed("XTRIM", keys.EVENTS, "MAXLEN", "~", KEEP), packed("EXEC"), packed("CLIENT", "REPLY", "ON"), _NEWEST]
_ADD = packed("XADD", keys.EVENTS, "*", "event", b"")[: -len(b"0\r\n\r\n")] + b"%d\r\n%b\r\n"
"""What appends an event, but for its length and itself."""


class Appended(IntEnum):
    """What became of a batch."""

    NOT = -1
    """Nothing was appended: the stream's last event is not the one that the relay knows, or it takes none."""
    FIRST = 0
    BEHIND = 1


class EventAppender:
    """Appends batches of events: each whole or not at all, and none behind an event that is not the last one known.

    The events go as plain commands in one transaction, which costs the server three quarters of what a script around
    them does. It answers none of them: the last event of the stream tells whether they are there.
    """

    def __init__(self, redis: Redis) -> None:
        self._route = route_of(redis, keys.EVENTS)

    async def append(self, events: Sequence[bytes], *, last: bytes = b"") -> Appended:
        """Append encoded events, one at least, behind the `last` one; empty: whichever that is.

        Raises:
            RedisError, OSError, TimeoutError: whether they were appended is unknown.
        """
        tries = 0
        self._route.touch()
        async with asyncio.timeout(APPEND_S):
            while True:
                try:
                    appended = await self._append(events, last)
                    if appended is Appended.NOT:  # whoever takes none may not be the primary any more
                        self._route.suspect()
                    return appended
                except REDIS_FAILED as error:
                    self._route.suspect()
                    if not may_pass(error):
                        raise
                    await self._route.missed(error, tries)
                    tries += 1

    async def _append(self, events: Sequence[bytes], last: bytes) -> Appended:
        pool = await self._route.pool()
        connection = await pool.get_connection()  # type: ignore[no-untyped-call]
        try:
            return await _watched(connection, events, last)
        except BaseException:  # what comes over it is nobody's, and it may have been told to answer nothing
            await connection.disconnect(nowait=True)
            raise
        finally:
            await pool.release(connection)


async def _watched(connection: AbstractConnection, events: Sequence[bytes], last: bytes) -> Appended:
    """Append events in a transaction that does nothing once the stream has changed since it was looked at."""
    _, was_there, newest = await _answers(connection, _WATCH, 3)
    if was_there and last and _event_of(newest) != last:
        await _answers(connection, [packed("UNWATCH")], 1)
        return Appended.NOT
    added = [_ADD % (len(event), event) for event in events]
    _, newest = await _answers(connection, [*_BEGIN, *added, *_END], 2)
    if _event_of(newest) != events[-1]:
        return Appended.NOT
    return Appended.BEHIND if was_there else Appended.FIRST


async def _answers(connection: AbstractConnection, commands: list[bytes], count: int) -> list[Any]:
    await connection.send_packed_command([b"".join(commands)], check_health=False)
    return [await connection.read_response() for _ in range(count)]


def _event_of(newest: list[Any]) -> bytes | None:
    """Return the event of an answer that holds the last entry; None: there is none, or it is not ours."""
    fields = newest[0][1] if newest else []
    return fields[1] if fields[:1] == [b"event"] else None


async def newest(redis: Redis) -> bytes | None:
    """Return the last event of the stream, None where there is none."""
    found: Any = await redis.xrevrange(keys.EVENTS, count=1)
    return found[0][1].get(b"event") if found else None


async def append_shadow(redis: Redis, shadow_number: int, events: Iterable[bytes]) -> None:
    """Append events of a rehearsal's shadow, none of which has a line break, to a stream of its own."""
    await _append.run(redis, [keys.shadow_events(shadow_number)], KEEP_OF_SHADOW, b"\n".join(events))


async def count(redis: Redis) -> int:
    """Return how many events the stream was ever given."""
    if not await redis.exists(keys.EVENTS):
        return 0
    return int((await redis.xinfo_stream(keys.EVENTS))["entries-added"])
