"""Tells the catalogue how many units are left, as whoever moved some has just seen. Approximate, and never in its way.

Owns the hash in the cache role. A cache that is away stops nothing: pages then show the count of their last read.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING
from uuid import UUID

from catalogue.cache import units
from db.products import stock
from doorbuster.failures import REDIS_FAILED
from doorbuster.redis_clients import plain_client
from doorbuster.values.shadows import is_shadow_product

if TYPE_CHECKING:
    from db.connections.pool import Connection
    from doorbuster.settings import Settings

TIMEOUT_S = 0.25
AWAY_S = 2.0

log = logging.getLogger("doorbuster.workers.units")


class Units:
    """The units left, as pages show them."""

    def __init__(self, settings: Settings) -> None:
        self._redis = plain_client(settings.cache_redis_url.get_secret_value(), timeout_s=TIMEOUT_S, connections=2)
        self._away_until = 0.0

    async def tell(self, left: Mapping[str, int]) -> None:
        """Tell the units left of these products; those of shadows are shown to nobody."""
        left = {product_id: units for product_id, units in left.items() if not is_shadow_product(product_id)}
        if not left or time.monotonic() < self._away_until:
            return
        try:
            await units.write(self._redis, left)
        except REDIS_FAILED as error:
            self._away_until = time.monotonic() + AWAY_S
            log.warning("units left were not told", extra={"error": error})

    async def tell_of(self, connection: Connection, order_ids: Collection[UUID]) -> None:
        """Tell what is in stock now of the products of orders that have given units back."""
        if order_ids:
            await self.tell(await stock.left_of_orders(connection, order_ids))

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
