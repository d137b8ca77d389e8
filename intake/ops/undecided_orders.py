"""Looks for accepted orders that the drain has not decided, by the products they want. Owns the look; changes nothing.

What would leave such an order without an answer is refused while it waits. An order that is accepted just after the
look is decided in its turn all the same: cancelled, with its reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from db.work import cursors
from doorbuster.orderstore import entry
from doorbuster.orderstore.backlog import accepted
from doorbuster.orderstore.partition import read_after

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from redis.asyncio import Redis

    from doorbuster.orderstore.ids import Partition
    from doorbuster.orderstore.partition import RawEntry
    from intake.database import Database

PAGE = 1_000
LOOKED_AT_MAX = 50_000
"""Entries of a partition; where more wait, every product counts as waited for."""


class WaitingOrders:
    """Reads the streams behind their cursors."""

    def __init__(self, database: Database, redis: Redis) -> None:
        self._database, self._redis = database, redis

    async def wanted(self, sale_number: int, partitions: int, products: Collection[str]) -> set[str]:
        """Return which of the products orders of the sale wait for."""
        found: set[str] = set()
        for partition in range(partitions):
            async with self._database.working() as connection:
                cursor, _ = await cursors.read(connection, sale_number, partition)
            found |= await self._behind((sale_number, partition), cursor, found, products)
        return found

    async def any(self, sale_number: int, partitions: int) -> bool:
        """Say whether the sale has ever accepted an order, as far as the order store knows."""
        counted = [await accepted(self._redis, (sale_number, partition)) for partition in range(partitions)]
        return any(counted)

    async def _behind(self, one: Partition, cursor: str, found: set[str], products: Collection[str]) -> set[str]:
        found, left = set(found), LOOKED_AT_MAX
        while len(found) < len(products):
            page = await read_after(self._redis, one, cursor, count=PAGE)
            found.update(_wanted(page) & set(products))
            left -= len(page)
            if len(page) < PAGE:
                break
            if left <= 0:
                return set(products)
            cursor = page[-1][0].decode()
        return found


def _wanted(page: Iterable[RawEntry]) -> set[str]:
    wanted: set[str] = set()
    for _, fields in page:
        try:
            order = entry.decode(fields.get(entry.FIELD, b""))
        except entry.UnreadableEntryError:
            continue  # a dead letter whatever the sale has
        wanted.update(line.product_id for line in order.lines)
    return wanted
