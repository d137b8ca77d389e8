"""Says that units came back: to the catalogue, and to who holds products for sold out. The drain decides who is.

The flag only spares hopeless orders their way: taking it away too early costs a cancelled order, never an oversold one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from db import stock
from db.sales import live_sales
from doorbuster import keys

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from redis.asyncio import Redis

    from catalogue.catalogue import Catalogue
    from intake.database import Database
    from intake.sales import Sales


class Restocking:
    """Tells the order store and this process that products can be had again."""

    def __init__(self, database: Database, redis: Redis, sales: Sales, catalogue: Catalogue) -> None:
        self._database = database
        self._catalogue = catalogue
        self._redis = redis
        self._sales = sales

    async def everywhere(self, product_id: str) -> None:
        """Take the product out of every sale that may still sell it."""
        async with self._database.working() as connection:
            live = await live_sales(connection)
        await self._forget([(sale.sale_number, part) for sale in live for part in range(sale.partitions)], [product_id])

    async def after(self, order_id: UUID, sale_number: int, partitions: int, products: Iterable[str]) -> None:
        """An order changed by hand: wake who waits for it, and let its products be had again in its sale."""
        given_back = list(products)
        if given_back:
            async with self._database.working() as connection:
                left = await stock.left(connection, given_back)
            for product_id, units in left.items():
                await self._catalogue.counted(product_id, units)
        await self._forget([(sale_number, partition) for partition in range(partitions)], given_back)
        await self._redis.publish(keys.OUTCOMES, order_id.bytes)

    async def _forget(self, lanes: list[tuple[int, int]], products: list[str]) -> None:
        if not lanes or not products:
            return
        async with self._redis.pipeline(transaction=False) as pipe:
            for number, partition in lanes:
                pipe.srem(keys.sold_out(number, partition), *products)
            await pipe.execute()
        for cached in self._sales.all():
            for lane in cached.lanes:
                if (cached.number, lane.partition) in lanes:
                    lane.sold_out.difference_update(products)
