"""Forgets prices that held before ops changed them, once no order accepted before can be drained any more.

Owns when that is: when every partition of the sale has been drained beyond the change, by the clock of the order store,
which gives entries their time. Where all is drained, whatever comes is accepted later. A partition whose entries
lie below its cursor is one whose store was replaced: what may come there is not known, so no price of the sale is
forgotten. What Postgres loses of a cursor in a failover it loses of the forgetting that came after, too.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from db.work import due_work, former_prices
from db.work.due_work import Partition
from doorbuster.orderstore.backlog import streams
from doorbuster.orderstore.partition import START, place_of
from doorbuster.orderstore.server import clocks_us

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from db.connections.pool import Connection

KEEP_S = 86_400.0
"""How long they stay beyond that: entries may come again from a copy of the order store, if it is younger."""


async def forget(connection: Connection, orders: Redis, *, keep_s: float) -> int:
    """Forget those that nobody needs, and that are older than `keep_s`; return how many."""
    forgotten = 0
    for sale_number, count in (await former_prices.aged(connection, older_than_s=keep_s)).items():
        drained_ms = await _drained_until_ms(connection, orders, sale_number, count)
        if drained_ms is not None:
            before = datetime.fromtimestamp(drained_ms / 1000, UTC) - timedelta(seconds=keep_s)
            forgotten += await former_prices.forget(connection, sale_number, before=before)
    return forgotten


async def _drained_until_ms(connection: Connection, orders: Redis, sale_number: int, count: int) -> int | None:
    """Return before when all that was accepted in a sale, or ever will be, is drained; None: it is not known."""
    places = [Partition(sale_number, number) for number in range(count)]
    until_ms = min(await clocks_us(orders)) // 1000  # before the streams are read: what comes after that is later
    found = await streams(orders, places)
    cursors = await due_work.cursors(connection, places)
    if len(found) < len(places):
        return None  # a server is away
    for place in places:
        cursor, last = place_of(cursors.get(place, (START, 0))[0]), place_of(found[place].last)
        if last < cursor:
            return None
        if last > cursor:
            until_ms = min(until_ms, cursor[0])
    return until_ms
