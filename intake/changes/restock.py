"""Says that units came back: to the catalogue, to the room, and to who holds products for sold out. The drain decides.

The flag only spares hopeless orders their way: taking it away too early costs a cancelled order, never an oversold one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from db.products import stock
from db.sales import live_sales_of
from doorbuster.orderstore import changes, sold_out
from waitingroom.room import Mode
from waitingroom.sale_config import mode_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from uuid import UUID

    from redis.asyncio import Redis

    from catalogue.service import Catalogue
    from db.orders.fulfilment.locked_order import Moved
    from db.sales import Sale
    from doorbuster.orderstore.ids import Partition
    from intake.changes.publish import ChangePublisher
    from intake.database import Database
    from intake.room.cache import RoomCache


class Restocker:
    """Takes products off the sold-out flags, and tells every process."""

    def __init__(
        self, database: Database, redis: Redis, publishing: ChangePublisher, *, catalogue: Catalogue, desk: RoomCache
    ) -> None:
        self._database, self._redis, self._publishing = database, redis, publishing
        self._catalogue, self._desk = catalogue, desk

    async def everywhere(self, product_id: str) -> None:
        """Let the product be had again in every sale that may still sell it."""
        async with self._database.working("stock") as connection:
            sales = await live_sales_of(connection, product_id)
        for sale in sales:
            await self._forget(sale, [product_id])
            await self._tell_room(sale)
        await self._publishing.shelf([product_id])

    async def of_sale(self, sale: Sale) -> None:
        """Let those products of a sale be had again of which it has units, by its new terms; the caller tells of it."""
        flagged = await self._flagged(sale)
        if flagged:
            await self._forget(sale, flagged)
        await self._tell_room(sale)

    async def after(self, moved: Moved) -> None:
        """An order changed by hand: wake who waits for it, and let its products be had again in its sale.

        Asks the database nothing: what there is to tell was read in the transaction of the change.
        """
        if moved.freed:
            for product_id, left in moved.freed.items():
                await self._catalogue.counted(product_id, left)
            units = {product_id: moved.available[product_id] for product_id in moved.freed.keys() & moved.available}
            if await self._take_off(moved.sale, units):
                await self._note_in_room(moved.sale, moved.available)
                await self._publishing.shelf(list(moved.freed))
        await changes.publish_orders(self._redis, [moved.order.order_id.bytes, *(one.bytes for one in moved.served)])

    async def served(self, order_ids: Sequence[UUID]) -> None:
        """Wake who waits for orders that stood by and were served."""
        if order_ids:
            await changes.publish_orders(self._redis, [order_id.bytes for order_id in order_ids])

    async def _flagged(self, sale: Sale) -> list[str]:
        return sorted(set().union(*await sold_out.read(self._redis, _partitions_of(sale))))

    async def _forget(self, sale: Sale, products: Collection[str]) -> bool:
        """Take the flags off what the sale has units of; say whether there were any."""
        async with self._database.working("stock") as connection:
            units = await stock.available(connection, sale.number, products)
        return await self._take_off(sale, units)

    async def _take_off(self, sale: Sale, units: Mapping[str, int]) -> bool:
        back = [product_id for product_id, left in units.items() if left > 0]
        return await sold_out.clear(self._redis, _partitions_of(sale), back) > 0

    async def _tell_room(self, sale: Sale) -> None:
        """Say to the sale's room, if it has one, what is sold out now."""
        if mode_of(sale) is Mode.OFF:
            return
        async with self._database.working("stock") as connection:
            units = await stock.available(connection, sale.number, list(sale.products))
        await self._note_in_room(sale, units)

    async def _note_in_room(self, sale: Sale, units: Mapping[str, int]) -> None:
        if mode_of(sale) is Mode.OFF:
            return
        await self._desk.note_sold_out(sale, {product_id for product_id, left in units.items() if left <= 0})


def _partitions_of(sale: Sale) -> list[Partition]:
    return [(sale.number, partition) for partition in range(sale.partitions)]
