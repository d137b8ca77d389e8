"""All orders one after another, in the order of acceptance. Owns where an export stands; keeps no transaction open.

It is read a page at a time, each page as it is then: neither a snapshot nor a connection waits for who takes the
orders. Partitions are read side by side, each from its own place, and merged: a page reads little more than it gives.
"""

from __future__ import annotations

import heapq
from collections import deque
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from db.orders.orders import read_orders
from db.query_files import load
from doorbuster.contract.fields import EARLIEST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from db.connections.pool import Connection
    from db.orders.orders import Order
    from db.orders.states import Status

KEPT_MAX = 4096
"""Places of orders kept of all partitions together, as long as there are not more partitions than that."""

_SQL = load("orders")


class ExportFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which orders are exported."""

    sale_id: str | None = None
    status: Status | None = None
    reason: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class _Found(msgspec.Struct, frozen=True, order=True):
    """An order's place among all."""

    accepted_at: datetime
    sale_number: int
    partition: int
    entry_seq: int
    order_id: UUID
    chosen: bool


class _Partition:
    """A partition, and how far it was read."""

    def __init__(self, sale_number: int, partition: int, since: datetime) -> None:
        self.sale_number, self.partition = sale_number, partition
        self.behind: tuple[datetime, int] = (since, -1)
        self.found: deque[_Found] = deque()
        self.is_over = False


class Exporting:
    """One export."""

    def __init__(self, chosen: ExportFilter, *, page: int) -> None:
        self._chosen = chosen
        self._page = page
        self._partitions: list[_Partition] = []
        self._until = chosen.until or EARLIEST
        self._heap: list[tuple[_Found, int]] = []
        """The next order of each partition, and the partition's place in the list."""
        self._dry: list[int] = []
        """Partitions of which nothing is at hand."""
        self._taken: list[UUID] | None = None
        """Orders that were taken and not read yet."""

    async def begin(self, connection: Connection) -> bool:
        """Find out what there is to read; say whether there is anything: False: no such sale."""
        rows = await connection.fetch(_SQL["partitions_to_export"], self._chosen.sale_id)
        since = self._chosen.since or EARLIEST
        self._partitions = [_Partition(row["sale_number"], row["partition"], since) for row in rows]
        self._dry = list(range(len(rows)))
        if rows:
            now = rows[0]["now"]
            self._until = min(self._chosen.until or now, now)
        return bool(rows)

    async def next_page(self, connection: Connection) -> list[Order] | None:
        """Return the next orders, None when there are no more; there may be none among those that were looked at.

        What fails on the way may be asked again, of another server too: nothing is passed over.
        """
        if self._taken is None:
            await self._refill(connection)
            if not self._heap:
                return None
            self._taken = self._take()
        orders = await read_orders(connection, self._taken) if self._taken else []
        self._taken = None
        return orders

    def _take(self) -> list[UUID]:
        """Take the next places, as far as they are at hand; return which of their orders are asked for."""
        chosen: list[UUID] = []
        for _ in range(self._page):
            if self._dry or not self._heap:
                break
            found, place = self._heap[0]
            if found.chosen:
                chosen.append(found.order_id)
            self._advance(place)
        return chosen

    def _advance(self, place: int) -> None:
        """Put the next order of a partition in place of the one that was taken."""
        partition = self._partitions[place]
        if partition.found:
            heapq.heapreplace(self._heap, (partition.found.popleft(), place))
            return
        heapq.heappop(self._heap)
        if not partition.is_over:
            self._dry.append(place)

    async def _refill(self, connection: Connection) -> None:
        each = max(16, min(self._page, KEPT_MAX // max(1, len(self._partitions))))
        while some := self._dry[: KEPT_MAX // each]:
            await self._read(connection, some, each)
            self._dry = self._dry[len(some) :]

    async def _read(self, connection: Connection, places: Sequence[int], each: int) -> None:
        asked = [self._partitions[place] for place in places]
        rows = await connection.fetch(
            _SQL["orders_to_export"], [one.sale_number for one in asked], [one.partition for one in asked],
            [one.behind[0] for one in asked], [one.behind[1] for one in asked], self._until, each,
            self._chosen.status, self._chosen.reason,
        )  # fmt: skip
        for number, order_id, accepted_at, entry_seq, chosen in rows:
            one = asked[number - 1]
            order = UUID(int=order_id.int)
            one.found.append(_Found(accepted_at, one.sale_number, one.partition, entry_seq, order, chosen))
            one.behind = (accepted_at, entry_seq)
        for place, one in zip(places, asked, strict=True):
            one.is_over = len(one.found) < each
            if one.found:
                heapq.heappush(self._heap, (one.found.popleft(), place))
