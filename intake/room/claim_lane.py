"""The short way of a claim that comes too early: around the application, for who waits makes most of a room's claims.

Owns the shortcut and, in bounded memory, the tickets it has verified: who waits sends the same bytes again and again.
Asks no store. Whatever is not plainly so goes the long way and gets the same answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from doorbuster.room_contract import ClaimRequest
from intake.limits import BODY
from intake.posting import JSON

if TYPE_CHECKING:
    from intake.limits import Application, Receive, Scope, Send
    from intake.room.desk import RoomDesk
    from intake.room.visits import Visits
    from intake.sales import Sales
    from waitingroom.tickets import Ticket

BEFORE, AFTER = "/sales/", "/room/admissions"
VERIFIED_MAX, BODY_KEPT_MAX = 20_000, 512
_TYPE = (b"content-type", JSON.encode())
_FIXED = [_TYPE, (b"cache-control", b"no-store")]
_decode = msgspec.json.Decoder(ClaimRequest).decode
_encode = msgspec.json.Encoder().encode


class ClaimLane:
    """ASGI application between the guard and the application."""

    def __init__(self, application: Application, sales: Sales, desk: RoomDesk, visits: Visits) -> None:
        self._application = application
        self._sales, self._desk, self._visits = sales, desk, visits
        self._verified: dict[tuple[int, bytes], Ticket] = {}

    def forget(self) -> None:
        """Verify every ticket anew: the keys changed."""
        self._verified.clear()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer who waits by the state at hand, or hand the request on."""
        answer = None
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"].endswith(AFTER):
            answer = self._at_hand(scope)
        if answer is None:
            await self._application(scope, receive, send)
            return
        body, retry_after_s = answer
        told = (b"retry-after", b"%d" % retry_after_s), (b"content-length", b"%d" % len(body))
        await send({"type": "http.response.start", "status": 202, "headers": [*_FIXED, *told]})
        await send({"type": "http.response.body", "body": body})

    def _at_hand(self, scope: Scope) -> tuple[bytes, int] | None:
        """Return the answer and its Retry-After, None for the long way."""
        sale_id = scope["path"].removeprefix(BEFORE).removesuffix(AFTER)
        cached = self._sales.fresh(sale_id)
        room = self._desk.known(cached) if cached is not None else None
        if room is None or not room.is_fresh or room.is_down or _TYPE not in scope["headers"]:
            return None
        ticket = self._ticket(room.cached.number, scope[BODY])
        found = self._visits.behind(room, ticket) if ticket is not None else None
        return None if found is None else (_encode(found), max(1, round(found.retry_after_s)))

    def _ticket(self, sale_number: int, body: bytes) -> Ticket | None:
        known = self._verified.get((sale_number, body))
        if known is not None:
            return known
        try:
            wanted = _decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        if wanted.ticket is None or wanted.secret is None:
            return None
        found = self._visits.verified(sale_number, wanted.ticket, wanted.secret)
        if found is not None and len(body) <= BODY_KEPT_MAX:
            if len(self._verified) >= VERIFIED_MAX:
                self._verified.clear()
            self._verified[sale_number, body] = found
        return found
