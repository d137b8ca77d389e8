"""The catalogue put together for one process: what an intake opens, runs beside its requests, asks and closes.

Owns the wiring of the room; the only class another room needs.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from catalogue.cache import items, subjects
from catalogue.cache import units as cached_units
from catalogue.cache.floors import MinVersions
from catalogue.cache.read_through import Copy, CopyBounds, Reader
from catalogue.cache.shared import SharedCache
from catalogue.change_feed import BACK_S, ChangeFeed
from catalogue.responses import CacheTerms, Shown, show_page, show_product
from db.connections.replicas import Replicas
from db.products import catalogue_changes
from db.products.catalogue_changes import Change
from doorbuster.errors import StoreUnavailableError
from doorbuster.failures import POSTGRES_FAILED, REDIS_FAILED, Failures
from doorbuster.redis_clients import plain_client, reader_client

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence
    from typing import Any

    from db.connections.pool import Connection
    from doorbuster.settings import Settings

CACHE_TIMEOUT_S = 0.5
CACHE_CONNECTIONS = 64
"""More than calls of reads at a time: what invalidates finds one free."""
HEAR_BLOCK_S = 1.0
WARMING = 3
"""Products read at a time before a sale: of the primary's few places one stays for shoppers."""
PRODUCT = subjects.product("")

log = logging.getLogger("doorbuster.catalogue")

_LEFT_TO_THE_OUTBOX: Failures = (*POSTGRES_FAILED, StoreUnavailableError)


class Catalogue:
    """Reads the catalogue for one process."""

    def __init__(self, settings: Settings) -> None:
        cache_url = settings.cache_redis_url.get_secret_value()
        primary = settings.database_url.get_secret_value()
        self._redis = plain_client(cache_url, timeout_s=CACHE_TIMEOUT_S, connections=CACHE_CONNECTIONS)
        self._hearing = reader_client(cache_url, block_s=HEAR_BLOCK_S, connections=2)
        self.shared = SharedCache(self._redis, keep_s=settings.catalogue_keep_s)
        self.replicas = Replicas(
            primary,
            [url.get_secret_value() for url in settings.replica_urls],
            lag_max_s=settings.replica_lag_max_s,
            primary_max=settings.primary_reads_max,
            timeout_s=settings.store_timeout_s / 2,
        )
        self.reader = Reader(
            self.shared,
            self.replicas,
            MinVersions(keep_s=max(BACK_S, settings.catalogue_keep_s * 1.2)),
            fresh_s=settings.catalogue_fresh_s,
            bounds=CopyBounds(settings.catalogue_copies_max, settings.catalogue_copies_mb * 2**20),
        )
        self.following = ChangeFeed(self.reader, self._hearing, primary)
        self._terms = CacheTerms(settings.cdn_max_age_s, settings.cdn_stale_s)

    async def open(self) -> None:
        """Make the pools, and look at the replicas once: the first reads must not fall on the primary."""
        await self.replicas.open()
        if self.replicas.replicas:
            await self.replicas.look()

    def running(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        """Return what runs as long as the process."""
        beside = [self.following.hear, self.following.look_on]
        return [*beside, self.replicas.watch] if self.replicas.replicas else beside

    async def close(self) -> None:
        """Close every connection."""
        await self._redis.aclose()
        await self._hearing.aclose()
        await self.replicas.close()

    def product_at_hand(self, product_id: str) -> Shown | None:
        """Return the product's answer if this process has it ready; costs no I/O."""
        copy = self.reader.fresh((PRODUCT + product_id, items.ITEM))
        return None if copy is None else self._shown(copy)

    async def product(self, product_id: str) -> Shown:
        """Return the product's answer.

        Raises:
            StoreUnavailableError: nothing that may be shown can be had.
        """
        return self._shown(await self.reader.get(items.product(product_id)))

    async def page(self, category: str | None, *, after: str, limit: int) -> Shown:
        """Return a page of a category, or of everything, in the order of product ids.

        Raises:
            StoreUnavailableError: nothing that may be shown can be had.
        """
        copy = await self.reader.get(items.listing(category, after=after, limit=limit))
        if copy.shown is None or copy.shown.until <= time.time():
            copy.shown = show_page(copy, category, limit, self._terms)
        shown: Shown = copy.shown
        return shown

    async def warm(self, product_ids: Sequence[str], *, within_s: float) -> int:
        """Read products as shoppers would, a few at a time; return how many are in the shared cache then."""
        few = asyncio.Semaphore(WARMING)

        async def read(product_id: str) -> bool:
            source = items.product(product_id)
            async with few:
                await self.reader.get(source)
                look = await self.shared.look(source.subject, source.part)
            return look is not None and look.stored is not None

        tasks = [asyncio.create_task(read(product_id)) for product_id in product_ids]
        try:
            async with asyncio.timeout(within_s):
                await asyncio.wait(tasks)
        except TimeoutError:
            log.warning("not all products were read in time", extra={"products": len(tasks)})
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        if failures := [end for end in ends if isinstance(end, Exception)]:
            log.warning("products were not read", extra={"products": len(failures), "error": failures[0]})
        return sum(end is True for end in ends)

    async def changed(self, connection: Connection, several: Iterable[Change]) -> None:
        """Tell everyone of changes that are committed; connection is the primary's.

        The outbox tells it too, a moment later: this only makes it sooner, so its failure is no one's error.
        """
        try:
            floors = subjects.floors(several, await catalogue_changes.log_position(connection))
            self.reader.outdate(floors)
            await self.shared.invalidate(floors)
        except _LEFT_TO_THE_OUTBOX as error:
            log.warning("a change is told by the outbox alone", extra={"error": error})

    async def counted(self, product_id: str, units: int) -> None:
        """Tell everyone how many units there are now, approximately; its failure is no one's error."""
        try:
            await cached_units.write(self._redis, {product_id: units})
        except REDIS_FAILED as error:
            log.warning("a count of units was not told", extra={"error": error})

    def _shown(self, copy: Copy) -> Shown:
        shown: Shown | None = copy.shown
        if shown is None or shown.until <= time.time():
            shown = copy.shown = show_product(copy, self._terms)
        return shown
