"""Which room a request is about, and who asks. Owns both; a sale without a room has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from intake.room.visits import Caller
from intake.web.problems import RefusedError

if TYPE_CHECKING:
    from falcon.asgi import Request

    from intake.room.cache import CachedRoom, RoomCache
    from intake.sales.cache import CachedSale, Sales
    from intake.web.client_address import Addresses
    from intake.web.storefront_keys import StorefrontKeys


class Rooms:
    """Finds the room of a request's sale, and who asks."""

    def __init__(self, sales: Sales, desk: RoomCache, addresses: Addresses, keys: StorefrontKeys) -> None:
        self._sales = sales
        self._desk = desk
        self._addresses = addresses
        self._keys = keys

    async def sale(self, sale_id: str) -> CachedSale:
        """Return a sale.

        Raises:
            RefusedError: there is none.
        """
        known = self._sales.fresh(sale_id) or await self._sales.get(sale_id)
        if known is None:
            raise RefusedError("sale_not_found", f"There is no sale {sale_id[:64]!r}")
        return known

    async def of(self, sale_id: str) -> CachedRoom:
        """Return a sale's room with its state as fresh as its store allows.

        Raises:
            RefusedError: there is no such sale, or it has no room.
        """
        found = await self._desk.ready(await self.sale(sale_id))
        if found is None:
            raise RefusedError("room_not_found", f"The sale {sale_id!r} has no waiting room; post orders to it")
        return found

    def caller(self, req: Request) -> Caller:
        """Return who asks."""
        return Caller(address=self._addresses.of(req), vouched=self._keys.is_storefront(req))
