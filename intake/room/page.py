"""The waiting page: what a visitor sees of its place, and the forms. Owns that; every decision is a visit's.

It works without a script: it asks to be loaded again, and claims when it is loaded in its turn. Its secret travels in
cookies and, to another device, in the part of a link that browsers send nobody.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import msgspec
from msgspec import UNSET

from doorbuster.errors import DoorbusterError, InvalidError, StoreUnavailableError
from doorbuster.room_contract import AdmissionView, JoinRequest, TicketView
from intake.limits import BODY
from intake.problems import RefusedError
from intake.room import cookies
from intake.room.door import page_of
from intake.room.resources import is_form, keep_admission
from intake.room.visits import order_url
from waitingroom.room import Phase

if TYPE_CHECKING:
    from falcon.asgi import Request, Response

    from intake.room.desk import OpenRoom
    from intake.room.pages import Pages
    from intake.room.resources import Rooms
    from intake.room.visits import Visits

REFRESH_LEAST_S = 5
"""Without a script the whole page comes again: not as often as a script asks."""
FIELDS_MAX = 20
"""Of a form: more than any of ours has."""
FRAGMENT = "doorbuster_admission"
_GONE = {"room_over": "over", "room_sold_out": "sold_out"}
_LOST = frozenset({"place_unknown", "place_lapsed", "place_left", "admission_finished", "admission_revoked"})


class WaitPage:
    """Resource of the page."""

    def __init__(self, rooms: Rooms, visits: Visits, pages: Pages, key: bytes) -> None:
        self._rooms = rooms
        self._visits = visits
        self._pages = pages
        self._key = key

    async def on_get(self, req: Request, resp: Response, sale: str) -> None:
        """Show the visitor's place, or let it in."""
        room = await self._room(req, resp, sale)
        if room is None:
            return
        place = cookies.place_of(req, room.cached.number)
        if place is None:
            self._show(req, resp, room, self._entrance(room))
            return
        try:
            found = await self._visits.claim(room, place.ticket, place.secret)
        except DoorbusterError as error:
            self._show(req, resp, room, self._refused(room, error), place)
            return
        if isinstance(found, AdmissionView):
            self._let_in(req, resp, room, found)
            return
        again = max(REFRESH_LEAST_S, round(found.retry_after_s))
        ticket = self._visits.ticket(room, place.ticket, place.secret)
        self._show(req, resp, room, {"view": "waiting", "wait": found, "ticket": ticket, "refresh": again}, place)

    async def on_post(self, req: Request, resp: Response, sale: str) -> None:
        """Take one of the page's forms: `leave`, or `move` with a place from another device."""
        room = await self._rooms.of(sale)
        form = form_of(req)
        number = room.cached.number
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
                self._show(req, resp, room, self._entrance(room) | {"problem": error.code})
                return
            cookies.set_browser(req, resp)
            cookies.set_place(req, resp, number, moved)
        go_to(resp, page_of(sale))

    async def joined(self, req: Request, resp: Response, sale: str) -> None:
        """Take the join form: a place for this browser, its cookies, and the page."""
        room = await self._rooms.of(sale)
        form = form_of(req)
        browser = cookies.browser_of(req)
        if browser is None:
            self._show(req, resp, room, self._entrance(room) | {"problem": "no_cookies"})
            return
        secret = browser.secret(self._key, room.cached.number)
        try:
            view = await self._visits.join(room, self._wanted(room, browser, secret, form), self._rooms.caller(req))
        except DoorbusterError as error:
            self._show(req, resp, room, self._refused(room, error))
            return
        cookies.set_place(req, resp, room.cached.number, cookies.Place(view.ticket, secret))
        self._keep_bypass(req, resp, room, view)

    def _keep_bypass(self, req: Request, resp: Response, room: OpenRoom, view: TicketView) -> None:
        if view.admission is UNSET or view.expires_at is UNSET or view.orders_allowed is UNSET:
            go_to(resp, view.page_url)
            return
        found = AdmissionView(
            admission=view.admission,
            expires_at=view.expires_at,
            orders_allowed=view.orders_allowed,
            order_url=order_url(room),
        )
        self._let_in(req, resp, room, found)

    def _wanted(self, room: OpenRoom, browser: cookies.Browser, secret: str, form: dict[str, str]) -> JoinRequest:
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

    async def _room(self, req: Request, resp: Response, sale: str) -> OpenRoom | None:
        """Return the room, or write the page that says why there is none."""
        try:
            return await self._rooms.of(sale)
        except RefusedError as error:
            if "text/html" not in (req.get_header("Accept") or ""):
                raise
            values = {"code": error.code, "sale_id": sale, "title": sale}
            self._pages.render(req, resp, "absent.html", values)
            resp.status = 404
            return None

    def _entrance(self, room: OpenRoom) -> dict[str, Any]:
        state = room.state
        if room.is_down or state is None:
            return {"view": "welcome" if room.is_emergency else "down", "refresh": 15}
        if state.sold_out:
            return {"view": "sold_out"}
        if state.phase in (Phase.DRAIN, Phase.OVER):
            return {"view": "over"}
        if not room.needs_admission:
            return {"view": "free"}
        return {"view": "closed", "refresh": 30} if state.phase is Phase.CLOSED else {"view": "welcome"}

    def _refused(self, room: OpenRoom, error: DoorbusterError) -> dict[str, Any]:
        """Return what the page says of a refusal; raises what is no visitor's business."""
        if isinstance(error, StoreUnavailableError):
            return {"view": "down", "refresh": 15}
        if error.code in _GONE:
            return {"view": _GONE[error.code]}
        if not isinstance(error, RefusedError | InvalidError):
            raise error
        return self._entrance(room) | {"problem": error.code}

    def _let_in(self, req: Request, resp: Response, room: OpenRoom, found: AdmissionView) -> None:
        keep_admission(req, resp, room, found)
        go_to(resp, entrance_of(found))

    def _show(
        self, req: Request, resp: Response, room: OpenRoom, values: dict[str, Any], place: cookies.Place | None = None
    ) -> None:
        sale, browser = room.cached.sale, cookies.set_browser(req, resp)
        page = page_of(sale.sale_id)
        target = urlsplit(order_url(room))
        lost = values.get("problem") in _LOST or values.get("problem") == "ticket_invalid"
        self._pages.render(
            req,
            resp,
            "wait.html",
            {
                "sale": sale,
                "title": sale.name or sale.sale_id,
                "status": None if room.document is None else room.document.view,
                "page_url": page,
                "order_url": order_url(room),
                "visitor_id": browser.visitor_id,
                "place_link": None if place is None or lost else f"{base_of(req)}{page}#place={place.text()}",
                "form_target": f" {target.scheme}://{target.netloc}" if target.netloc else "",
                "problem": None,
                "wait": None,
                "ticket": None,
                "refresh": None,
                **values,
            },
        )
        if values["view"] == "down":
            resp.status = 503
            resp.set_header("Retry-After", str(values["refresh"]))


def entrance_of(found: AdmissionView) -> str:
    """Return where an admitted browser goes; another site gets the admission in the part that is sent to nobody."""
    return f"{found.order_url}#{FRAGMENT}={found.admission}" if urlsplit(found.order_url).netloc else found.order_url


def base_of(req: Request) -> str:
    """Return the address that the visitor sees."""
    return f"{req.forwarded_scheme}://{req.forwarded_host}"


def form_of(req: Request) -> dict[str, str]:
    """Return the fields of a form of our own pages.

    Raises:
        RefusedError: it is no form, or another site's.
    """
    if not is_form(req):
        raise RefusedError("unsupported_media_type", "The body must be a form")
    site, origin = req.get_header("Sec-Fetch-Site"), req.get_header("Origin")
    foreign = site not in (None, "same-origin", "none") or origin == "null"  # a sandboxed frame's, or a redirect's
    if site is None and origin is not None:
        foreign = foreign or origin.partition("://")[2] not in (req.forwarded_host, req.netloc)
    if foreign:
        raise RefusedError("ticket_invalid", "The form is another site's")
    try:
        fields = parse_qs(req.scope[BODY].decode("utf-8", "replace"), max_num_fields=FIELDS_MAX)
    except ValueError as error:
        raise RefusedError("malformed", f"The form has more than {FIELDS_MAX} fields") from error
    return {name: values[0] for name, values in fields.items()}


def go_to(resp: Response, url: str) -> None:
    """Send the browser on."""
    resp.status = 303
    resp.set_header("Location", url)
    resp.set_header("Cache-Control", "no-store")
    resp.set_header("Referrer-Policy", "no-referrer")
