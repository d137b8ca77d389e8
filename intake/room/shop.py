"""A small storefront to try the whole way with: wait, buy, watch. Owns these pages; a real shop has its own.

Buying is a form, so it works without a script; its hidden idempotency key makes one order of it however often it is
sent. Who buys is the browser itself, as a guest.
"""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from db.states import FINAL, Status
from doorbuster.contract import OrderRequest
from doorbuster.errors import DoorbusterError
from intake.orders import found_for, not_found
from intake.posting import is_key
from intake.problems import STORE_ERRORS, RefusedError
from intake.room import cookies
from intake.room.door import page_of
from intake.room.page import form_of, go_to

if TYPE_CHECKING:
    from falcon.asgi import Request, Response

    from catalogue.catalogue import Catalogue
    from doorbuster.contract import OrderView
    from intake.order_views import OrderReader
    from intake.owners import Owners
    from intake.posting import PostOrder
    from intake.room.door import RoomDoor
    from intake.room.pages import Pages
    from intake.room.resources import Rooms
    from intake.sales import CachedSale

log = logging.getLogger("doorbuster.intake.room")

PRODUCTS_MAX = 24
REFRESH_S = 3
_WAIT = frozenset({"admission_required", "admission_expired", "admission_invalid", "admission_spent"})
_NO_DECIMALS = frozenset({"JPY", "KRW", "VND", "CLP", "ISK", "HUF"})


class Offer(msgspec.Struct):
    """As much of a product as the page shows."""

    product_id: str
    name: str
    price: int
    currency: str
    description: str | None = None


_UNREADABLE: tuple[type[Exception], ...] = (DoorbusterError, *STORE_ERRORS)
_offer = msgspec.json.Decoder(Offer)


@dataclass(frozen=True, slots=True)
class Shop:
    """What the storefront buys with, and where it reads."""

    posting: PostOrder
    catalogue: Catalogue
    reader: OrderReader
    owners: Owners

    async def offers(self, known: CachedSale) -> list[dict[str, Any]]:
        """Return what the sale offers, at the sale's prices."""
        found: list[dict[str, Any]] = []
        gone = {product for lane in known.lanes for product in lane.sold_out}
        for product_id, listed in list(known.sale.products.items())[:PRODUCTS_MAX]:
            offer = await self.offer(product_id)
            price = offer.price if listed.price is None else listed.price
            found.append({"offer": offer, "price": money(price, offer.currency), "sold_out": product_id in gone})
        return found

    async def offer(self, product_id: str) -> Offer:
        """Return a product, by its id alone if the catalogue cannot be read."""
        try:
            shown = await self.catalogue.product(product_id)
        except _UNREADABLE as error:
            log.warning("a product cannot be read", extra={"product_id": product_id, "error": repr(error)})
            return Offer(product_id, product_id, 0, "")
        return _offer.decode(shown.body) if shown.found else Offer(product_id, product_id, 0, "")


def money(amount: int, currency: str) -> str:
    """Return a price for people."""
    return f"{amount:,} {currency}" if currency in _NO_DECIMALS else f"{amount / 100:,.2f} {currency}".strip()


class ShopPage:
    """Resource of the storefront."""

    def __init__(self, rooms: Rooms, door: RoomDoor, pages: Pages, shop: Shop) -> None:
        self._rooms = rooms
        self._door = door
        self._pages = pages
        self._shop = shop

    async def on_get(self, req: Request, resp: Response, sale: str) -> None:
        """Show what can be bought, or the way to the waiting room."""
        await self._show(req, resp, await self._rooms.sale(sale), None)

    async def on_post(self, req: Request, resp: Response, sale: str) -> None:
        """Buy, and go to the order's page."""
        known = await self._rooms.sale(sale)
        form = form_of(req)
        browser = cookies.browser_of(req)
        if browser is None:
            await self._show(req, resp, known, "no_cookies")
            return
        try:
            order, key = _order(form, browser)
            order_id, _ = await self._shop.posting.take(req, known, order, key)
        except DoorbusterError as error:
            if error.code == "internal":
                raise
            await self._show(req, resp, known, error.code, form.get("key"))
            return
        go_to(resp, f"/shop/{sale}/orders/{order_id}")

    async def _show(
        self, req: Request, resp: Response, known: CachedSale, problem: str | None, key: str | None = None
    ) -> None:
        browser = cookies.set_browser(req, resp)
        room = await self._door.needed(known) if known.has_room else None
        sale = known.sale
        self._pages.render(
            req,
            resp,
            "shop.html",
            {
                "title": sale.name or sale.sale_id,
                "sale": sale,
                "offers": await self._shop.offers(known),
                "is_in": room is None or self._door.is_in(req, room, browser.customer_id),
                "problem": problem,
                "to_room": problem in _WAIT,
                "key": key if key and problem not in _WAIT else secrets.token_urlsafe(18),
                "wait_url": page_of(sale.sale_id),
            },
        )


def _order(form: dict[str, str], browser: cookies.Browser) -> tuple[OrderRequest, str]:
    key = form.get("key", "")
    if not is_key(key):
        raise RefusedError("malformed", "The form has no key")
    line = {"product_id": form.get("product_id", ""), "quantity": 1}
    try:
        return msgspec.convert({"customer_id": browser.customer_id, "lines": [line]}, OrderRequest), key
    except msgspec.ValidationError as error:
        raise RefusedError("invalid", str(error)) from error


class OrderPage:
    """Resource of an order's page."""

    def __init__(self, rooms: Rooms, pages: Pages, shop: Shop) -> None:
        self._rooms = rooms
        self._pages = pages
        self._shop = shop

    async def on_get(self, req: Request, resp: Response, sale: str, order: str) -> None:
        """Show where the order stands; with a script, live."""
        known = await self._rooms.sale(sale)
        view = await found_for(req, order, self._shop.reader, self._shop.owners)
        if view.sale_id != known.sale.sale_id:
            raise not_found(order)
        self._pages.render(
            req,
            resp,
            "order.html",
            {
                "title": known.sale.name or sale,
                "order": view,
                "names": {line.product_id: (await self._shop.offer(line.product_id)).name for line in view.lines},
                "total": "" if view.total is None else money(view.total, view.currency or ""),
                "steps": _steps(view),
                "refresh": None if view.status in {str(one) for one in FINAL} | {Status.CONFIRMED} else REFRESH_S,
                "shop_url": f"/shop/{sale}",
            },
        )


def _steps(view: OrderView) -> list[dict[str, Any]]:
    """Return what the order went through and what comes next, for the list of the page."""
    done = {"accepted": view.accepted_at} | {step.status: step.at.isoformat() for step in view.history}
    way = ["accepted", "pending", "cancelled"] if "cancelled" in done else ["accepted", "pending", "confirmed"]
    way += [name for name in ("processing", "shipped", "delivered", "refunded") if name in done]
    return [{"name": name, "at": done.get(name)} for name in way if name in done or name != "cancelled"]
