"""An order's page on the demonstration's storefront. Owns what it shows, also while the order cannot be read.

Who was led here has an order: if the database is away the page says so with the order's number, and tries again by
itself. Nothing that is known to be there is ever shown as an error.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from db.orders.states import FINAL, Status
from db.work.copy_rows import STANDBY
from doorbuster.errors import DoorbusterError
from doorbuster.failures import ANTICIPATED, STORE_FAILED
from doorbuster.orderstore.ids import route_of
from intake.orders.access import found_for
from intake.orders.lookup import not_found, order_id_of
from intake.pages.standing import standing_of
from intake.room import cookies
from intake.room.attempts import spoken
from intake.web.problems import RefusedError

if TYPE_CHECKING:
    from uuid import UUID

    from falcon.asgi import Request, Response

    from doorbuster.contract.orders import OrderView
    from intake.pages.demo_shop import Shop
    from intake.pages.render import Pages
    from intake.room.admission_verifier import AdmissionVerifier
    from intake.room.lookup import Rooms
    from intake.sales.cache import CachedSale

log = logging.getLogger("doorbuster.intake.room")

REFRESH_S = 3
AWAY_S = 5
_DECIDED = {str(one) for one in FINAL} | {Status.CONFIRMED}
_AFTER = ("processing", "shipped", "delivered", "refunded")


class OrderPage:
    """Resource of an order's page."""

    def __init__(self, rooms: Rooms, door: AdmissionVerifier, pages: Pages, shop: Shop) -> None:
        self._rooms = rooms
        self._door = door
        self._pages = pages
        self._shop = shop

    async def on_get(self, req: Request, resp: Response, sale: str, order: str) -> None:
        """Show where the order stands; with a script, live."""
        order_id = order_id_of(order)
        cookies.saw_order(req, resp, route_of(order_id)[0], order)
        known = await self._sale(sale)
        try:
            view = await found_for(req, order, self._shop.reader, self._shop.owners)
        except ANTICIPATED as error:
            if isinstance(error, RefusedError) and error.code != "store_unavailable":
                raise
            log.warning("an order's page cannot read it", extra={"order_id": order, "error": error})
            await self._later(req, resp, order_id, sale, known)
            return
        if view.sale_id != sale:
            raise not_found(order)
        self._pages.render(req, resp, "order.html", await self._values(view, known, sale))

    async def _sale(self, sale: str) -> CachedSale | None:
        """Return the sale, None if it cannot be read now."""
        try:
            return await self._rooms.sale(sale)
        except ANTICIPATED as error:
            if isinstance(error, DoorbusterError) and error.code == "sale_not_found":
                raise
            log.warning("an order's page cannot read its sale", extra={"sale_id": sale, "error": error})
            return None

    async def _values(self, view: OrderView, known: CachedSale | None, sale: str) -> dict[str, Any]:
        names = await self._shop.offers.names(line.product_id for line in view.lines)
        limits = {} if known is None else {
            line.product_id: known.sale.products[line.product_id].limit_per_customer
            for line in view.lines
            if line.product_id in known.sale.products
        }  # fmt: skip
        limited = [(names[product], limit) for product, limit in limits.items() if limit is not None]
        return {
            "title": sale if known is None else known.sale.name or sale,
            "standing": None if known is None else standing_of(known, self._door.known(known)),
            "known_here": True,
            "order": view,
            "number": spoken(view.order_id),
            "names": names,
            "limited": limited if view.reason == "limit_exceeded" else [],
            "steps": steps_of(view),
            "standing_by": is_standing_by(view),
            "pay": payment_of(view),
            "is_stuck": view.status == "accepted" and isinstance(view.reason, str),
            "refresh": None if view.status in _DECIDED else REFRESH_S,
            "page_url": f"/shop/{sale}/orders/{view.order_id}",
            "shop_url": f"/shop/{sale}",
        }

    async def _later(self, req: Request, resp: Response, order_id: UUID, sale: str, known: CachedSale | None) -> None:
        """Say that the order is here, or may be, and that the page tries again."""
        kept = cookies.orders_of(req, route_of(order_id)[0])
        is_mine = any(one.order_id == str(order_id) for one in kept)
        self._pages.render(
            req,
            resp,
            "order_later.html",
            {
                "title": sale if known is None else known.sale.name or sale,
                "standing": None if known is None else standing_of(known, self._door.known(known)),
                "has_order": is_mine or (not self._shop.owners.are_asked and await self._is_accepted(order_id)),
                "order_id": str(order_id),
                "number": spoken(str(order_id)),
                "refresh": AWAY_S,
                "page_url": f"/shop/{sale}/orders/{order_id}",
                "shop_url": f"/shop/{sale}",
            },
        )
        resp.status = 503
        resp.set_header("Retry-After", str(AWAY_S))

    async def _is_accepted(self, order_id: UUID) -> bool:
        """Say whether the order store knows the order: it needs no database for that."""
        try:
            return await self._shop.reader.is_accepted(order_id)
        except STORE_FAILED as error:
            log.warning("the order store cannot be asked", extra={"error": error})
            return False


def is_standing_by(view: OrderView) -> bool:
    """Say whether the order waits for units to come back."""
    return view.status == "pending" and view.reason == STANDBY


def payment_of(view: OrderView) -> dict[str, Any]:
    """Return how the order's payment stands: status, amounts in minor units, and where the shopper is to confirm it.

    Of what the provider wants of the shopper only a page of its own is known here; other kinds are the storefront's.
    """
    payment, action = view.payment, view.payment.next_action
    target = action.get("redirect_to_url") if isinstance(action, dict) else None
    return {
        "status": "elsewhere" if payment.paid_elsewhere is True and not payment.captured else payment.status,
        "captured": payment.captured or 0,
        "refunded": payment.refunded or 0,
        "until": view.reservation_expires_at or None,
        "target": target if isinstance(target, str) and target.startswith("https://") else None,
    }


def steps_of(view: OrderView) -> list[dict[str, Any]]:
    """Return what the order went through and what comes next; nothing comes next in an order that was cancelled."""
    done = {"accepted": view.accepted_at} | {step.status: step.at.isoformat() for step in view.history}
    way = ["accepted", "pending", "confirmed", *_AFTER, "cancelled"]
    waits = is_standing_by(view)
    return [
        {"name": name, "at": done.get(name), "text": "standby" if waits and name == "pending" else name}
        for name in way
        if name in done or (name in ("pending", "confirmed") and "cancelled" not in done)
    ]
