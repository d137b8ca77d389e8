"""The page at `/`: which sales there are now, and the visitor's orders. Owns that page; opens no sale to anybody.

It names sales that are on and those whose lobby is open: who knows the address could be there already. What is only
planned it does not tell.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from doorbuster.errors import DoorbusterError
from doorbuster.failures import ANTICIPATED
from intake.pages.standing import Standing, standing_of
from intake.room import cookies
from intake.room.attempts import links_of
from intake.web.urls import page_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from falcon.asgi import Request, Response

    from db.sales import Sale
    from intake.pages.render import Pages
    from intake.room.admission_verifier import AdmissionVerifier
    from intake.sales.cache import CachedSale, Sales

    ListSales = Callable[[], Awaitable[list[Sale]]]

log = logging.getLogger("doorbuster.intake.room")

KEPT_S = 2.0
LISTED_MAX = 20
_SHOWN = (Standing.QUEUE, Standing.OPEN, Standing.LOBBY, Standing.PAUSED, Standing.DOWN, Standing.SOLD_OUT)


class Landing:
    """Resource of the page."""

    def __init__(self, load: ListSales, sales: Sales, door: AdmissionVerifier, pages: Pages) -> None:
        self._load = load
        self._sales = sales
        self._door = door
        self._pages = pages
        self._listed: list[Sale] = []
        self._until = 0.0
        self._reading = asyncio.Lock()

    async def on_get(self, req: Request, resp: Response) -> None:
        """Show it."""
        listed = await self._list()
        shown: list[tuple[str, str, str]] = []
        for sale in listed:
            known = await self._known(sale)
            if known is None:
                continue
            standing = standing_of(known, self._door.known(known))
            if standing in _SHOWN and len(shown) < LISTED_MAX:
                url = page_of(sale.sale_id) if standing is Standing.LOBBY else f"/shop/{sale.sale_id}"
                shown.append((sale.name or sale.sale_id, str(standing), url))
        numbers = set(cookies.sales_with_orders(req))
        mine = [sale for sale in listed if sale.number in numbers]
        orders = [link for sale in mine for link in links_of(cookies.orders_of(req, sale.number), sale.sale_id)]
        values = {"title": "", "sales": shown, "orders": orders, "page_url": "/", "refresh": 60}
        self._pages.render(req, resp, "landing.html", values)

    async def _list(self) -> list[Sale]:
        """Return the sales, the newest first, as they were some moments ago."""
        async with self._reading:
            if time.monotonic() >= self._until:
                try:
                    self._listed = await self._load()
                except ANTICIPATED as error:
                    log.warning("sales cannot be listed", extra={"error": error})
                self._until = time.monotonic() + KEPT_S
        return self._listed

    async def _known(self, sale: Sale) -> CachedSale | None:
        try:
            return await self._sales.get(sale.sale_id)
        except DoorbusterError as error:
            log.warning("a sale cannot be shown", extra={"sale_id": sale.sale_id, "error": error.detail})
            return None
