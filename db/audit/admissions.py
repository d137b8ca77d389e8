"""Holds the orders accepted of late against the admissions spent for them: what of promise P7 the stores can tell.

An order does not carry its admission, so this counts, for each partition of a sale whose orders all need one: orders
accepted within the last hour, and orders that are noted as placed with an admission. The notes outlive the hour, and an
order is noted in the step that accepts it. So fewer notes than orders means that an order came in without. It cannot
tell which one, nor what was longer ago; an order too many can hide behind one noted earlier. Changes nothing.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from db.audit.questions import Figure, always_rooms
from doorbuster.orderstore import server, whole

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from db.connections.pool import Connection
    from db.work.due_work import Place

WINDOW_MS = 3_600_000
"""What is placed with an admission is noted for longer than this."""


async def admission_figures(connection: Connection, orders: Redis) -> list[Figure]:
    """Return the figure, none if no sale has had its orders all admitted for long enough."""
    watched = set(await always_rooms(connection))
    if not watched:
        return []
    since_ms = max(await server.clocks_us(orders)) // 1_000_000 * 1000 - WINDOW_MS
    # Orders first: what is accepted while this looks is then among the notes alone.
    accepted: Counter[Place] = Counter()
    async for place, at_ms in whole.accepted_ms(orders, watched):
        accepted[place] += at_ms >= since_ms
    noted: Counter[Place] = Counter()
    async for place, placed in whole.placed(orders, watched):
        noted[place] += placed
    return [
        Figure(
            promise="P7",
            what="orders of the last hour that needed an admission",
            value=accepted.total(),
            breaches=sum(max(0, count - noted[place]) for place, count in accepted.items()),
        )
    ]
