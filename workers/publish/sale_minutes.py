"""Copies what the intakes counted of each sale, minute by minute, from the room's store into Postgres.

Owns the copying. A minute is written as a whole and struck off only as it was read: any number of schedulers, deaths
between the two, and counts that come late do no harm.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from db import sale_minutes
from waitingroom.records import minutes

if TYPE_CHECKING:
    from collections.abc import Collection

    from redis.asyncio import Redis

    from db.connections.pool import Connection

LATE_S = 3.0
"""How long after its end a minute is copied: the intakes tell of its last second within the next."""


async def copy(rooms: Redis, connection: Connection, numbers: Collection[int], now_s: float | None = None) -> int:
    """Copy what is over of these sales; return how many minutes that were.

    Raises:
        RedisError, OSError, one of POSTGRES_FAILED: a store is away; the rest is copied the next time.
    """
    if not numbers:
        return 0
    present = int(((time.time() if now_s is None else now_s) - LATE_S) // 60)
    found = await minutes.to_copy(rooms, numbers, present)
    for number, minute in found:
        seen = await minutes.read(rooms, number, minute)
        counts = (seen.offered, seen.admitted, seen.joined)
        await sale_minutes.put(connection, number, minute, counts, seen.refused)
        await minutes.note_copied(rooms, number, minute, seen)
    return len(found)
