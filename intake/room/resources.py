"""The waiting room for programs: tickets, the status document, admissions. Owns reading and writing of these calls.

A page that was loaded from an earlier version posts its join form to where programs join; it is handed
to the page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from doorbuster.contract.bodies.decoding import read
from doorbuster.contract.problems import JSON
from doorbuster.contract.room import ClaimRequest, JoinRequest, LeftView, WaitView
from intake.room import cookies
from intake.server.asgi import BODY
from intake.web.forms import is_form
from intake.web.problems import RefusedError
from intake.web.requests import require_json

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from falcon.asgi import Request, Response

    from intake.room.lookup import Rooms
    from intake.room.visits import Visits

    OnForm = Callable[[Request, Response, str], Awaitable[None]]

SECRET_HEADER = "X-Ticket-Secret"  # noqa: S105  # its name

_encode = msgspec.json.Encoder().encode
_join = msgspec.json.Decoder(JoinRequest)
_claim = msgspec.json.Decoder(ClaimRequest)


class Tickets:
    """Resource of a room's tickets."""

    def __init__(self, rooms: Rooms, visits: Visits, on_form: OnForm) -> None:
        self._rooms = rooms
        self._visits = visits
        self._on_form = on_form

    async def on_post(self, req: Request, resp: Response, sale: str) -> None:
        """Join; again gives the same place."""
        if is_form(req):
            await self._on_form(req, resp, sale)
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


class ShowRoomStatus:
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
        place: cookies.RememberedPlace | None = cookies.RememberedPlace(wanted.ticket or "", wanted.secret or "")
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
            cookies.keep_admission(req, resp, room.cached.number, found, now_s=room.now_s)
        resp.data = _encode(found)


def _no_store(resp: Response) -> None:
    resp.content_type = JSON
    resp.set_header("Cache-Control", "no-store")
