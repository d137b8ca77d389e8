"""The waiting room for programs: tickets, the status document, admissions. Owns reading and writing of these calls.

The page's form posts to the same place as programs do; it is told apart by its media type and answered by the page.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from doorbuster.contract.decoding import read
from doorbuster.contract.problems import JSON
from doorbuster.contract.room import AdmissionView, ClaimRequest, JoinRequest, LeftView, WaitView
from intake.room import cookies
from intake.room.visits import Caller
from intake.server.asgi import BODY
from intake.web.forms import is_form
from intake.web.problems import RefusedError
from intake.web.requests import require_json

if TYPE_CHECKING:
    from falcon.asgi import Request, Response

    from intake.pages.wait import WaitPage
    from intake.room.cache import OpenRoom, RoomDesk
    from intake.room.visits import Visits
    from intake.sales.cache import CachedSale, Sales
    from intake.web.client_address import Addresses
    from intake.web.storefront_keys import StorefrontKeys

SECRET_HEADER = "X-Ticket-Secret"  # noqa: S105  # its name

_encode = msgspec.json.Encoder().encode
_join = msgspec.json.Decoder(JoinRequest)
_claim = msgspec.json.Decoder(ClaimRequest)


class Rooms:
    """Finds the room of a request's sale, and who asks."""

    def __init__(self, sales: Sales, desk: RoomDesk, addresses: Addresses, keys: StorefrontKeys) -> None:
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

    async def of(self, sale_id: str) -> OpenRoom:
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


class Tickets:
    """Resource of a room's tickets."""

    def __init__(self, rooms: Rooms, visits: Visits, page: WaitPage) -> None:
        self._rooms = rooms
        self._visits = visits
        self._page = page

    async def on_post(self, req: Request, resp: Response, sale: str) -> None:
        """Join; again gives the same place."""
        if is_form(req):
            await self._page.joined(req, resp, sale)
            return
        require_json(req)
        wanted = read(req.scope[BODY], _join)
        room = await self._rooms.of(sale)
        view = await self._visits.join(room, wanted, self._rooms.caller(req))
        _no_store(resp)
        resp.status = 201
        resp.data = _encode(view)


class OneTicket:
    """Resource of a ticket."""

    def __init__(self, rooms: Rooms, visits: Visits) -> None:
        self._rooms = rooms
        self._visits = visits

    async def on_delete(self, req: Request, resp: Response, sale: str, ticket: str) -> None:
        """Leave; if orders were placed with the admission, say so: it may have been one on its way.

        A ticket alone, which may stand in a log, is not enough: its secret comes in a header or cookie.
        """
        room = await self._rooms.of(sale)
        kept = cookies.place_of(req, room.cached.number)
        secret = req.get_header(SECRET_HEADER) or (kept.secret if kept and kept.ticket == ticket else "")
        placed = await self._visits.leave(room, ticket, secret)
        if kept is not None and kept.ticket == ticket:
            cookies.forget_place(resp, room.cached.number)
        if placed:
            _no_store(resp)
            resp.data = _encode(LeftView(placed))
        else:
            resp.status = 204


class Status:
    """Resource of a room's status document: the same bytes for everyone."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    async def on_get(self, req: Request, resp: Response, sale: str) -> None:
        """Show it."""
        document = (await self._rooms.of(sale)).document
        if document is None:
            raise RefusedError("store_unavailable", "The room's store does not answer")
        resp.set_headers({"Cache-Control": "public, max-age=1", "ETag": document.etag, "Content-Type": JSON})
        wanted = req.get_header("If-None-Match") or ""
        if document.etag in wanted or wanted.strip() == "*":
            resp.status = 304
            return
        resp.data = document.data


class Admissions:
    """Resource of a room's admissions."""

    def __init__(self, rooms: Rooms, visits: Visits) -> None:
        self._rooms = rooms
        self._visits = visits

    async def on_post(self, req: Request, resp: Response, sale: str) -> None:
        """Claim an admission for a place, whose ticket and secret are in the body or in the browser's cookie."""
        require_json(req)
        wanted = read(req.scope[BODY], _claim)
        room = await self._rooms.of(sale)
        from_cookie = wanted.ticket is None and wanted.secret is None
        place: cookies.Place | None = cookies.Place(wanted.ticket or "", wanted.secret or "")
        if from_cookie:
            place = cookies.place_of(req, room.cached.number)
        if place is None:
            raise RefusedError("ticket_invalid", "There is neither a ticket with its secret nor the cookie of a place")
        found = await self._visits.claim(room, place.ticket, place.secret)
        _no_store(resp)
        if isinstance(found, WaitView):
            resp.status = 202
            resp.set_header("Retry-After", str(max(1, round(found.retry_after_s))))
        elif from_cookie:
            keep_admission(req, resp, room, found)
        resp.data = _encode(found)


def keep_admission(req: Request, resp: Response, room: OpenRoom, found: AdmissionView) -> None:
    """Put an admission into the browser for as long as it is good."""
    ends = datetime.fromisoformat(found.expires_at).astimezone(UTC).timestamp()
    cookies.set_admission(req, resp, room.cached.number, found.admission, ends - room.now_s)


def _no_store(resp: Response) -> None:
    resp.content_type = JSON
    resp.set_header("Cache-Control", "no-store")
