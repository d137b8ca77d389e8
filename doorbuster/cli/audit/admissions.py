"""Holds the orders accepted of late against the admissions spent for them: what of promise P7 the stores can tell.

An order does not carry its admission, so this counts, for each partition of a sale whose orders all need one: orders
accepted within the last hour, and orders that are noted as placed with an admission. The notes outlive the hour, and an
order is noted in the step that accepts it. So fewer notes than orders means that an order came in without. It cannot
tell which one, nor what was longer ago; an order too many can hide behind one noted earlier. Changes nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from db.audit import Figure, always_rooms
from doorbuster import keys

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis.asyncio import Redis

    from db.connections.pool import Connection
    from db.work.due_work import Place

WINDOW_MS = 3_600_000
"""What is placed with an admission is noted for longer than this."""
ENDED = 1_000_000_000
"""Added to the orders of an admission whose visitor has left; see intake/room/scripts/end_admission.lua."""
_PAGE = 10_000
_ALL_ACCEPTED = keys.accepted_prefix(0, 0).replace(keys.slot(0, 0), "{*}") + "*"
_ALL_SPENT = keys.spent_prefix(0, 0).replace(keys.slot(0, 0), "{*}") + "*"
_SLOT = re.compile(rb"\{(\d+)\.(\d+)\}")


async def admission_figures(connection: Connection, orders: Redis) -> list[Figure]:
    """Return the figure, none if no sale has had its orders all admitted for long enough."""
    watched = set(await always_rooms(connection))
    if not watched:
        return []
    seconds, _ = await orders.time()
    since_ms = seconds * 1000 - WINDOW_MS
    # Orders first: what is accepted while this looks is then among the notes alone.
    accepted: Counter[Place] = Counter()
    async for place, value in _values(orders, _ALL_ACCEPTED, watched):
        accepted[place] += int(value[16:].partition(b"-")[0]) >= since_ms
    noted: Counter[Place] = Counter()
    async for place, value in _values(orders, _ALL_SPENT, watched):
        noted[place] += int(value.partition(b",")[0]) % ENDED  # also those whose use came back
    return [
        Figure(
            promise="P7",
            what="orders of the last hour that needed an admission",
            value=accepted.total(),
            breaches=sum(max(0, count - noted[place]) for place, count in accepted.items()),
        )
    ]


async def _values(orders: Redis, pattern: str, watched: set[Place]) -> AsyncIterator[tuple[Place, bytes]]:
    """Yield what lies under the keys of the partitions that are watched, each key once."""
    seen: set[bytes] = set()
    cursor = 0
    while True:
        found: Any = await orders.scan(cursor, match=pattern, count=_PAGE)
        cursor, names = found
        fresh = [name for name in dict.fromkeys(names) if name not in seen and _place(name) in watched]
        seen.update(fresh)
        if fresh:
            values: Any = await orders.mget(fresh)
            for name, value in zip(fresh, values, strict=True):
                if value is not None:
                    yield _place(name), value
        if cursor == 0:
            return


def _place(name: bytes) -> Place:
    found = _SLOT.search(name)
    return (int(found[1]), int(found[2])) if found else (0, 0)
