"""How fast drains work while there is always more for them to do: what they can do. Owns when that is so.

A drain that waits for orders shows how many came, not how many it could take. So only the time between two looks counts
at both of which plenty waited.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from db.prewarm import measures
from doorbuster.orderstore import backlog

if TYPE_CHECKING:
    from collections.abc import Iterable

    from redis.asyncio import Redis

    from db.connections.pool import Connection
    from db.sales import LiveSale

PLENTY = 500
"""Orders that wait in a sale: more than what a drain takes at a time in a few milliseconds."""
WRITTEN_S = 5.0
"""Of busy time, before it is written down; sooner when it ends."""


class DrainLook(NamedTuple):
    """A look at a sale."""

    at: float
    drained: int
    waiting: int


class Busy(NamedTuple):
    """What was done in busy time that is not written down yet."""

    drained: int = 0
    seconds: float = 0.0

    def after(self, before: DrainLook | None, now: DrainLook) -> Busy:
        """Return it with the time between two looks, if plenty waited at both."""
        if before is None or min(before.waiting, now.waiting) < PLENTY or now.drained < before.drained:
            return self
        return Busy(self.drained + now.drained - before.drained, self.seconds + now.at - before.at)


class DrainPaces:
    """Looks at the drains of the sales that take orders."""

    def __init__(self, orders: Redis) -> None:
        self._orders = orders
        self._seen: dict[int, DrainLook] = {}
        self._busy: dict[int, Busy] = {}

    async def look(self, connection: Connection, sales: Iterable[LiveSale]) -> None:
        """Look once, and write down what there is."""
        begun = [sale for sale in sales if sale.starts_at <= sale.read_at]
        places = [(sale.sale_number, partition) for sale in begun for partition in range(sale.partitions)]
        if not places:
            return
        waiting = [orders for orders, _ in await backlog.counts(self._orders, places)]
        by_sale: dict[int, int] = {}
        for (number, _), orders in zip(places, waiting, strict=True):
            by_sale[number] = by_sale.get(number, 0) + orders
        for number, orders in by_sale.items():
            await self._look_at(connection, number, orders, [place for place in places if place[0] == number])
        for number in self._seen.keys() - by_sale.keys():
            del self._seen[number]

    async def _look_at(self, connection: Connection, number: int, waiting: int, places: list[tuple[int, int]]) -> None:
        before = self._seen.pop(number, None)
        busy = self._busy.pop(number, Busy())
        if waiting >= PLENTY:
            accepted = 0
            for place in places:
                accepted += await backlog.accepted(self._orders, place)
            self._seen[number] = now = DrainLook(time.monotonic(), accepted - waiting, waiting)
            busy = busy.after(before, now)
        if busy.seconds >= WRITTEN_S or (busy.seconds and waiting < PLENTY):
            await measures.note_drained(connection, number, drained=busy.drained, busy_s=busy.seconds)
        elif busy.seconds:
            self._busy[number] = busy
