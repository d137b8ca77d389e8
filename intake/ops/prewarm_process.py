"""What one intake process does ahead of a sale: says that it lives, and opens what the first orders will need.

Owns its sign of life in the jobs store, and the warming of what no other process can warm: its pools and its copies.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from typing import TYPE_CHECKING

from catalogue.cache import items
from db.prewarm import steps
from doorbuster.errors import DoorbusterError
from doorbuster.failures import ANTICIPATED, STORE_FAILED
from doorbuster.orderstore import server
from readiness import signs
from readiness.fleet_checks import IntakeSign

if TYPE_CHECKING:
    from collections.abc import Iterable

    from redis.asyncio import Redis

    from catalogue.service import Catalogue
    from intake.database import Database
    from intake.room.cache import RoomCache
    from intake.sales.cache import Sales
    from waitingroom.keyring import KeyRing

EVERY_S = 5.0
STORE_CONNECTIONS = 4
"""Opened to each Redis store ahead of a sale."""
PRODUCTS_MAX = 200
"""Products of a sale that a process takes copies of ahead of it."""

log = logging.getLogger("doorbuster.intake.prewarm")


class SignOfLife:
    """Says every few seconds that this process lives, what its clock says and which keys it has."""

    def __init__(self, jobs: Redis, orders: Redis, ring: KeyRing) -> None:
        self._jobs, self._orders, self._ring = jobs, orders, ring
        self._name, self._began_s = f"{socket.gethostname()}-{os.getpid()}-{id(self):x}", time.time()

    async def keep_giving(self) -> None:
        """Give it until cancelled; a store that is away learns of this process when it is back."""
        while True:
            try:
                await signs.give(self._jobs, await self._now())
            except STORE_FAILED as error:
                log.debug("no sign of life", extra={"error": error})
            await asyncio.sleep(EVERY_S)

    async def end(self) -> None:
        """Say that it ends; a store that is away learns it by the silence."""
        try:
            await signs.end(self._jobs, self._name)
        except STORE_FAILED as error:
            log.debug("the end could not be told", extra={"error": error})

    async def _now(self) -> IntakeSign:
        return IntakeSign(
            name=self._name, began_s=self._began_s, seen_s=time.time(), ahead_s=await self._ahead_s(),
            keys=self._ring.ids,
        )  # fmt: skip

    async def _ahead_s(self) -> float | None:
        """Return how far this process's clock is ahead of the order store's, of several of the furthest.

        What the question took is allowed for.
        """
        began = time.time()
        try:
            clocks = [shown / 1e6 for shown in await server.clocks_us(self._orders)]
        except STORE_FAILED:
            return None
        ended = time.time()
        ahead_s = [float(max(0.0, began - shown) + min(0.0, ended - shown)) for shown in clocks]
        furthest: float = max(ahead_s, key=abs)
        return round(furthest, 3)


class ProcessWarming:
    """Opens pools and takes copies for the sales that are near."""

    def __init__(
        self, database: Database, redis: Iterable[Redis], sales: Sales, *, catalogue: Catalogue, desk: RoomCache
    ) -> None:
        self._database, self._redis = database, list(redis)
        self._sales, self._catalogue, self._desk = sales, catalogue, desk

    async def keep_warm(self) -> None:
        """Look for sales that are near, and warm up for them, until cancelled."""
        while True:
            try:
                await self.look()
            except ANTICIPATED as error:  # what is away now is looked for again
                log.debug("nothing could be warmed up", extra={"error": error})
            await asyncio.sleep(EVERY_S)

    async def look(self) -> list[str]:
        """Warm up for each sale that is near; return their ids."""
        async with self._database.reading() as connection:
            near = await steps.near(connection)
        if near:
            await self._database.open_connections()
            await asyncio.gather(*(_open(redis) for redis in self._redis))
        for sale_id in near:
            await self._take_copies(sale_id)
        return near

    async def _take_copies(self, sale_id: str) -> None:
        cached = await self._sales.get(sale_id)
        if cached is None:
            return
        await self._desk.ready(cached)
        for product_id in list(cached.sale.products)[:PRODUCTS_MAX]:
            try:
                await self._catalogue.reader.get(items.product(product_id))
            except DoorbusterError as error:
                log.debug("a product is not at hand", extra={"product_id": product_id, "error": error})


async def _open(redis: Redis) -> None:
    """Open a few connections, by asking as many questions at once."""
    await asyncio.gather(*(server.ping(redis) for _ in range(STORE_CONNECTIONS)))
