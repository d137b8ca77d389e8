"""A small storefront to try the whole way with: wait, buy, watch. Owns its page of a sale; a real shop has its own.

Buying is a form, so it works without a script; its hidden idempotency key (`attempts.py`) makes one order of it however
often it is sent. Who buys is the browser itself, as a guest. Once an order may have been accepted nothing here fails
without telling how to go on: whatever cannot be read is left out.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from doorbuster.contract.orders import OrderRequest
from doorbuster.contract.problems import FAULTS
from doorbuster.errors import DoorbusterError
from doorbuster.failures import ANTICIPATED
from intake.accepting.spend import AdmissionCredit
from intake.pages.offers import PAGE_SIZE, sources_of
from intake.pages.standing import BEFORE, BUYABLE, Standing, standing_of
from intake.room import cookies
from intake.room.attempts import Placed, digest_of, key_of, links_of, mark_of
from intake.web.forms import form_of, go_to
from intake.web.problems import RETRY_AFTER, RefusedError
from intake.web.requests import is_key
from intake.web.urls import page_of
from waitingroom.records.minutes import OFFERED

if TYPE_CHECKING:
    from falcon.asgi import Request, Response

    from intake.orders.access import OrderAccess
    from intake.orders.lookup import OrderReader
    from intake.orders.post import PostOrder
    from intake.pages.offers import Shelf, ShopOffers
    from intake.pages.render import Pages
    from intake.room.admission_verifier import AdmissionVerifier
    from intake.room.browser import Browser
    from intake.room.cache import CachedRoom
    from intake.room.lookup import Rooms
    from intake.sales.cache import CachedSale

log = logging.getLogger("doorbuster.intake.room")

_TO_ROOM = frozenset({"admission_required", "admission_expired", "admission_invalid", "admission_spent"})
_AGAIN_S = {Standing.UPCOMING: 60, Standing.LOBBY: 60, Standing.PAUSED: 15, Standing.DOWN: 15, Standing.SOLD_OUT: 60}
"""How soon the page is loaded anew by itself where a shopper waits for something."""


@dataclass(frozen=True, slots=True)
class Shop:
    """What the storefront buys with, and where it reads."""

    posting: PostOrder
    offers: ShopOffers
    reader: OrderReader
    owners: OrderAccess


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """An attempt to buy that did not lead to an order."""

    code: str
    product_id: str = ""
    key: str = ""
    quantity: int = 1


class ShopPage:
    """Resource of the storefront."""

    def __init__(self, rooms: Rooms, door: AdmissionVerifier, pages: Pages, shop: Shop) -> None:
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
            await self._show(req, resp, known, Tried(code="no_cookies"))
            return
        tried = Tried(code="", product_id=form.get("product_id", ""), key=form.get("key", ""), quantity=_quantity(form))
        known.counts[OFFERED] += 1
        try:
            order = _order(tried, browser)
            order_id = await self._shop.posting.take(req, known, order, tried.key)
        except DoorbusterError as error:
            if error.code == "idempotency_conflict":  # an earlier press was taken, of another number of units
                order_id = self._shop.posting.order_id(known, browser.customer_id, tried.key)
            elif error.code == "internal":
                raise
            else:
                known.counts[error.code] += 1
                await self._show(req, resp, known, replace(tried, code=error.code))
                return
        self._remember(req, resp, known, order_id, tried, browser)
        go_to(resp, f"/shop/{sale}/orders/{order_id}")

    def _remember(
        self, req: Request, resp: Response, known: CachedSale, order_id: UUID, tried: Tried, browser: Browser
    ) -> None:
        room = self._door.known(known)
        held = None if room is None else self._door.held(req, room, browser.customer_id)
        mark = mark_of(held.admission if isinstance(held, AdmissionCredit) else None)
        cookies.add_order(req, resp, known.number, Placed(str(order_id), digest_of(tried.product_id), mark))

    async def _show(self, req: Request, resp: Response, known: CachedSale, tried: Tried | None) -> None:
        browser = cookies.set_browser(req, resp)
        room = await self._room(known)
        standing = standing_of(known, room)
        held = None if room is None else self._door.held(req, room, browser.customer_id)
        credit = held if isinstance(held, AdmissionCredit) else None
        placed = cookies.orders_of(req, known.number)
        view = await self._view(standing, room, credit, placed)
        page = _page(req, known)
        shelves = await self._shop.offers.of(known, page)
        self._pages.render(
            req,
            resp,
            "shop.html",
            {
                "title": known.sale.name or known.sale.sale_id,
                "sale": known.sale,
                "standing": standing,
                "view": view,
                "has_room": room is not None,
                "shelves": shelves,
                "keys": _keys(browser, known, shelves, placed, tried),
                "page": page,
                "pages": max(1, -(-len(known.sale.products) // PAGE_SIZE)),
                "image_sources": sources_of(shelves),
                "tried": tried,
                "again": tried if tried is not None and tried.code in RETRY_AFTER and is_key(tried.key) else None,
                "tried_name": (await self._shop.offers.names([tried.product_id])) if tried else {},
                "until": None if credit is None else datetime.fromtimestamp(credit.admission.expires_s, UTC),
                "left_s": 0 if credit is None else credit.life_ms / 1000,
                "orders": links_of(placed, known.sale.sale_id),
                "refresh": _AGAIN_S.get(standing) if tried is None else None,
                "page_url": f"/shop/{known.sale.sale_id}",
                "wait_url": page_of(known.sale.sale_id),
            },
        )
        if tried is not None and tried.code in FAULTS:
            resp.status = FAULTS[tried.code].status
            if tried.code in RETRY_AFTER:
                resp.set_header("Retry-After", "1")

    async def _room(self, known: CachedSale) -> CachedRoom | None:
        """Return the sale's room, with a state if that can be had: a page without one is better than none."""
        try:
            await self._door.needed(known)
        except DoorbusterError as error:
            log.warning("a room cannot say whether it is needed", extra={"error": error.detail})
        return self._door.known(known)

    async def _view(
        self, standing: Standing, room: CachedRoom | None, credit: AdmissionCredit | None, placed: list[Placed]
    ) -> str:
        """Return what the page is to say and offer."""
        if standing in BEFORE:
            return "before"
        if standing is not Standing.PAUSED and standing not in BUYABLE:
            return str(standing)
        if standing is Standing.PAUSED:
            return "paused"
        if room is None or not room.needs_admission:
            return "open"
        if credit is not None and await self._is_spent(credit, placed):
            return "placed"
        if credit is None:
            return "down" if standing is Standing.DOWN else "queue"
        return "in" if credit.life_ms else "expired"

    async def _is_spent(self, credit: AdmissionCredit, placed: list[Placed]) -> bool:
        """Say whether the admission has bought what it allows; an order that was cancelled does not count."""
        mark = mark_of(credit.admission)
        mine = [one for one in placed if one.admission == mark]
        if len(mine) < credit.admission.orders_allowed:
            return False
        return sum([not await self._is_cancelled(one) for one in mine]) >= credit.admission.orders_allowed

    async def _is_cancelled(self, one: Placed) -> bool:
        try:
            view = await self._shop.reader.find(UUID(one.order_id))
        except ANTICIPATED as error:
            log.warning("an order cannot be read", extra={"order_id": one.order_id, "error": error})
            return False
        return view is not None and view.status == "cancelled"


def _keys(
    browser: Browser, known: CachedSale, shelves: list[Shelf], placed: list[Placed], tried: Tried | None
) -> dict[str, str]:
    """Return the idempotency key of each product's form; the one that was tried keeps the key it was sent with."""
    found = {one.product_id: key_of(browser, known.number, one.product_id, placed) for one in shelves}
    if tried is not None and tried.product_id in found and is_key(tried.key):
        found[tried.product_id] = tried.key
    return found


def _page(req: Request, known: CachedSale) -> int:
    text = req.get_param("page") or "1"
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 4 else 1
    return max(1, min(number, -(-len(known.sale.products) // PAGE_SIZE)))


def _quantity(form: dict[str, str]) -> int:
    """Return how many units a form asks for; what is no number is refused where the order is read."""
    text = form.get("quantity", "").strip() or "1"
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0


def _order(tried: Tried, browser: Browser) -> OrderRequest:
    if not is_key(tried.key):
        raise RefusedError("malformed", "The form has no key")
    line = {"product_id": tried.product_id, "quantity": tried.quantity}
    try:
        return msgspec.convert({"customer_id": browser.customer_id, "lines": [line]}, OrderRequest)
    except msgspec.ValidationError as error:
        raise RefusedError("invalid", str(error)) from error
