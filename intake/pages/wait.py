"""The waiting page: what a visitor sees of its place, and the forms. Owns that; every decision is a visit's.

It works without a script: it asks to be loaded again, and claims when it is loaded in its turn. Its secret travels in
cookies and, to another device, in the part of a link that browsers send nobody.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET

from doorbuster.contract.room import AdmissionView, JoinRequest, TicketView, WaitView
from doorbuster.errors import DoorbusterError, InvalidError, StoreUnavailableError
from intake.pages.standing import BEFORE, Standing, standing_of
from intake.room import cookies
from intake.room.attempts import links_of
from intake.web.forms import form_of, go_to
from intake.web.problems import RefusedError, prefers_html
from intake.web.urls import order_url, page_of
from waitingroom.polling import eta_range_s

if TYPE_CHECKING:
    from falcon.asgi import Request, Response

    from doorbuster.contract.room import RoomStatus
    from intake.pages.offers import ShopOffers
    from intake.pages.render import Pages
    from intake.room.browser import Browser
    from intake.room.cache import CachedRoom
    from intake.room.lookup import Rooms
    from intake.room.visits import Visits

REFRESH_LEAST_S = 5
"""Without a script the whole page comes again: not as often as a script asks."""
_AGAIN_S = {
    Standing.UPCOMING: 30, Standing.LOBBY: 60, Standing.QUEUE: 60, Standing.OPEN: 60, Standing.PAUSED: 30,
    Standing.SOLD_OUT: 60, Standing.CLOSING: 60, Standing.DOWN: 15,
}  # fmt: skip
"""How soon a page without a place comes again, so that it follows the sale; one that is over stays."""
_VIEWS = {
    Standing.UPCOMING: "closed", Standing.LOBBY: "welcome", Standing.QUEUE: "welcome", Standing.OPEN: "free",
    Standing.SOLD_OUT: "sold_out", Standing.CLOSING: "closing", Standing.OVER: "over",
}  # fmt: skip
NAMES_MAX = 50
"""Names of products that the page is sent for its script; of more it asks one by one."""
FRAGMENT = "doorbuster_admission"
_GONE = frozenset({"room_over", "room_sold_out"})
_LOST = frozenset(
    {
        "place_unknown",
        "place_lapsed",
        "place_left",
        "visit_ordered",
        "visit_ran_out",
        "admission_revoked",
        "ticket_invalid",
    }
)


class WaitPage:
    """Resource of the page."""

    def __init__(self, rooms: Rooms, visits: Visits, pages: Pages, offers: ShopOffers, key: bytes) -> None:
        self._rooms = rooms
        self._visits = visits
        self._pages = pages
        self._offers = offers
        self._key = key

    async def on_get(self, req: Request, resp: Response, sale: str) -> None:
        """Show the visitor's place, or let it in."""
        room = await self._room(req, resp, sale)
        if room is None:
            return
        place = cookies.place_of(req, room.cached.number)
        if place is None:
            await self._show(req, resp, room, self._entrance(room))
            return
        try:
            found = await self._visits.claim(room, place.ticket, place.secret, sure=True)
        except DoorbusterError as error:
            await self._show(req, resp, room, self._refused(req, room, error), place)
            return
        if isinstance(found, AdmissionView):
            self._let_in(req, resp, room, found)
            return
        again = max(REFRESH_LEAST_S, round(found.retry_after_s))
        ticket = self._visits.ticket(room, place.ticket, place.secret)
        waiting = self._waiting(room, found) | {"wait": found, "ticket": ticket, "refresh": again}
        await self._show(req, resp, room, waiting, place)

    async def on_post(self, req: Request, resp: Response, sale: str) -> None:
        """Take one of the page's forms: `join`, `leave`, or `move` with a place from another device."""
        room = await self._rooms.of(sale)
        form = form_of(req)
        number = room.cached.number
        if form.get("do") == "join":
            await self._join(req, resp, room, form)
            return
        if form.get("do") == "leave" and (kept := cookies.place_of(req, number)):
            await self._visits.leave(room, kept.ticket, kept.secret)
            cookies.forget_place(resp, number)
        elif form.get("do") == "move":
            _, _, word = form.get("place", "").rpartition("place=")
            moved = cookies.place_from(word)
            try:
                if moved is None:
                    raise RefusedError("ticket_invalid", "That is no place")
                self._visits.ticket(room, moved.ticket, moved.secret)
            except RefusedError as error:
                await self._show(req, resp, room, self._entrance(room) | {"problem": error.code})
                return
            cookies.set_browser(req, resp)
            cookies.set_place(req, resp, number, moved)
        go_to(resp, page_of(sale))

    async def join(self, req: Request, resp: Response, sale: str) -> None:
        """Take the join form of a page that was loaded from an earlier version, which does not say what it is."""
        room = await self._rooms.of(sale)
        await self._join(req, resp, room, form_of(req))

    async def _join(self, req: Request, resp: Response, room: CachedRoom, form: dict[str, str]) -> None:
        """Give this browser a place and its cookies, and go to the page."""
        browser = cookies.browser_of(req)
        if browser is None:
            await self._show(req, resp, room, self._entrance(room) | {"problem": "no_cookies"})
            return
        secret = browser.secret(self._key, room.cached.number)
        try:
            view = await self._visits.join(room, self._wanted(room, browser, secret, form), self._rooms.caller(req))
        except DoorbusterError as error:
            await self._show(req, resp, room, self._refused(req, room, error))
            return
        cookies.set_place(req, resp, room.cached.number, cookies.RememberedPlace(view.ticket, secret))
        self._keep_bypass(req, resp, room, view)

    def _keep_bypass(self, req: Request, resp: Response, room: CachedRoom, view: TicketView) -> None:
        if view.admission is UNSET or view.expires_at is UNSET or view.orders_allowed is UNSET:
            go_to(resp, view.page_url)
            return
        found = AdmissionView(
            admission=view.admission,
            expires_at=view.expires_at,
            orders_allowed=view.orders_allowed,
            order_url=order_url(room.cached.sale),
        )
        self._let_in(req, resp, room, found)

    def _wanted(self, room: CachedRoom, browser: Browser, secret: str, form: dict[str, str]) -> JoinRequest:
        sale = room.cached.sale
        bound = bool(sale.room.get("one_per_customer")) or sale.partitions > 1
        given = {
            "visitor_id": browser.visitor_id,
            "secret_hash": hashlib.sha256(secret.encode()).hexdigest(),
            "customer_id": browser.customer_id if bound else None,
            "challenge": form.get("challenge", "").strip() or None,
            "access_code": form.get("access_code", "").strip() or None,
        }
        try:
            return msgspec.convert(given, JoinRequest)
        except msgspec.ValidationError as error:
            raise RefusedError("code_invalid", str(error)) from error

    async def _room(self, req: Request, resp: Response, sale: str) -> CachedRoom | None:
        """Return the room, or write the page for a sale without one."""
        try:
            return await self._rooms.of(sale)
        except RefusedError as error:
            if error.code != "room_not_found" or not prefers_html(req):
                raise
        known = await self._rooms.sale(sale)
        standing = standing_of(known, None)
        values = {
            "title": known.sale.name or sale,
            "sale": known.sale,
            "standing": standing,
            "view": _VIEWS.get(standing, "free"),
            "orders": links_of(cookies.orders_of(req, known.number), sale),
            "refresh": _AGAIN_S.get(standing),
            "page_url": page_of(sale),
            "order_url": f"/shop/{sale}",
        }
        self._pages.render(req, resp, "no_room.html", values)
        return None

    def _entrance(self, room: CachedRoom) -> dict[str, Any]:
        """Return what the page shows to who has no place."""
        standing = standing_of(room.cached, room)
        view = _VIEWS.get(standing, "welcome")
        if standing is Standing.DOWN or (room.state is None and standing in (Standing.LOBBY, Standing.PAUSED)):
            view = "welcome" if room.is_emergency else "down"
        elif standing is Standing.PAUSED and not room.needs_admission:
            view = "free"
        head = f"{view}_title"
        if standing is Standing.LOBBY and view == "welcome":
            head = "welcome_lobby_title"
        elif standing is Standing.PAUSED and view != "down":
            head = "paused_title"
        return {"view": view, "standing": standing, "head": head, "refresh": _AGAIN_S.get(standing)}

    def _waiting(self, room: CachedRoom, wait: WaitView) -> dict[str, Any]:
        """Return what the page shows to who has a place; nothing is estimated while nobody moves."""
        standing, state = standing_of(room.cached, room), room.state
        values: dict[str, Any] = {"view": "waiting", "standing": standing, "range": None, "back_before": None}
        if standing is Standing.PAUSED:
            return values | {"head": "paused_title"}
        if standing in BEFORE:
            back = room.cached.sale.starts_at + timedelta(seconds=room.grace_s)
            return values | {"head": "lobby_title", "back_before": back}
        if state is None or room.is_down:
            return values | {"head": "waiting_title"}
        head = "next_title" if wait.position == 0 else "waiting_title"
        if wait.position is None:
            return values | {"head": head}
        found = eta_range_s(wait.position, state.paces)
        soonest_s = 0.0 if found is None else found[0]
        back = datetime.fromtimestamp(room.now_s + soonest_s + room.grace_s, UTC).replace(second=0)
        return values | {"head": head, "range": found, "back_before": back}

    def _refused(self, req: Request, room: CachedRoom, error: DoorbusterError) -> dict[str, Any]:
        """Return what the page says of a refusal; raises what is no visitor's business."""
        if isinstance(error, StoreUnavailableError):
            return self._entrance(room) | {"view": "down", "head": "down_title", "refresh": _AGAIN_S[Standing.DOWN]}
        entrance = self._entrance(room)
        if error.code in _GONE:
            view = "sold_out" if error.code == "room_sold_out" else entrance["view"]
            view = view if view in ("closing", "sold_out") else "over"
            standing = {"closing": Standing.CLOSING, "sold_out": Standing.SOLD_OUT}.get(view, Standing.OVER)
            return entrance | {"view": view, "head": f"{view}_title", "standing": standing}
        if not isinstance(error, RefusedError | InvalidError):
            raise error
        code = error.code
        if code == "admission_finished":
            code = "visit_ordered" if cookies.orders_of(req, room.cached.number) else "visit_ran_out"
        return entrance | {"problem": code}

    def _let_in(self, req: Request, resp: Response, room: CachedRoom, found: AdmissionView) -> None:
        cookies.keep_admission(req, resp, room.cached.number, found, now_s=room.now_s)
        go_to(resp, entrance_of(found))

    async def _show(
        self,
        req: Request,
        resp: Response,
        room: CachedRoom,
        values: dict[str, Any],
        place: cookies.RememberedPlace | None = None,
    ) -> None:
        sale, browser = room.cached.sale, cookies.set_browser(req, resp)
        page, status = page_of(sale.sale_id), None if room.document is None else room.document.view
        target = urlsplit(order_url(room.cached.sale))
        lost = values.get("problem") in _LOST
        gone = [] if status is None else status.sold_out.products
        self._pages.render(
            req,
            resp,
            "wait.html",
            {
                "sale": sale,
                "title": sale.name or sale.sale_id,
                "status": status,
                "now_s": room.now_s,
                "seen": "" if status is None else _seen(status),
                "starts": "" if status is None else msgspec.to_builtins(status.starts_at),
                "sold_out": list((await self._offers.names(gone)).values()),
                "names": await self._offers.names(list(sale.products)[:NAMES_MAX]) if place is not None else {},
                "orders": links_of(cookies.orders_of(req, room.cached.number), sale.sale_id),
                "grace_min": max(1, room.grace_s // 60),
                "page_url": page,
                "order_url": order_url(room.cached.sale),
                "visitor_id": browser.visitor_id,
                "place_link": None if place is None or lost else f"{base_of(req)}{page}#place={place.text()}",
                "form_target": f" {target.scheme}://{target.netloc}" if target.netloc else "",
                "problem": None,
                "wait": None,
                "ticket": None,
                **values,
            },
        )
        if values["view"] == "down":
            resp.status = 503
            resp.set_header("Retry-After", str(values["refresh"]))


def _seen(status: RoomStatus) -> str:
    """Return what of a status document makes another page of it; the script reads the same from a later one."""
    starts_at = msgspec.to_builtins(status.starts_at)
    return f"{status.phase} {starts_at} {status.needs_admission} {status.sold_out.whole}"


def entrance_of(found: AdmissionView) -> str:
    """Return where an admitted browser goes; another site gets the admission in the part that is sent to nobody."""
    return f"{found.order_url}#{FRAGMENT}={found.admission}" if urlsplit(found.order_url).netloc else found.order_url


def base_of(req: Request) -> str:
    """Return the address that the visitor sees."""
    return f"{req.forwarded_scheme}://{req.forwarded_host}"
