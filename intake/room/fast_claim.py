"""The fast path of a claim that comes too early: before the application, for who waits makes most of a room's claims.

Owns the shortcut and, in bounded memory, the tickets it has verified: who waits sends the same bytes again and again.
Asks no store. Whatever is not plainly so takes the full path and gets the same answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from doorbuster.contract.problems import JSON
from doorbuster.contract.room import ClaimRequest
from intake.server.asgi import BODY
from intake.server.connection.framing import is_host

if TYPE_CHECKING:
    from intake.room.cache import RoomCache
    from intake.room.visits import Visits
    from intake.sales.cache import Sales
    from intake.server.asgi import Answer, Headers, Scope
    from intake.server.connection.fast_response import FastResponse
    from intake.server.cors import CrossOrigin
    from waitingroom.tickets import Ticket

BEFORE, AFTER = "/sales/", "/room/admissions"
VERIFIED_MAX, BODY_KEPT_MAX = 20_000, 512
_TYPE = (b"content-type", JSON.encode())
_FIXED = [_TYPE, (b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]
_LINES = b"".join(b"%b: %b\r\n" % field for field in _FIXED) + b"retry-after: %d\r\n"
_decode = msgspec.json.Decoder(ClaimRequest).decode
_encode = msgspec.json.Encoder().encode


class FastClaim:
    """Answers claims of who still waits by the state at hand."""

    def __init__(self, sales: Sales, desk: RoomCache, visits: Visits, cross_origin: CrossOrigin) -> None:
        self._sales, self._desk, self._visits = sales, desk, visits
        self._lines_for = cross_origin.lines_of_all
        self._verified: dict[tuple[int, bytes], Ticket] = {}

    def forget(self) -> None:
        """Verify every ticket anew: the keys changed."""
        self._verified.clear()

    def __call__(self, scope: Scope) -> Answer | None:
        """Return the answer, None where the full path is to give it."""
        if scope["method"] != "POST" or not scope["path"].endswith(AFTER):
            return None
        sale_id = scope["path"].removeprefix(BEFORE).removesuffix(AFTER)
        found = self._at_hand(sale_id, scope[BODY]) if _TYPE in scope["headers"] else None
        if found is None:
            return None
        body, retry_after_s = found
        told = (b"retry-after", b"%d" % retry_after_s), (b"content-length", b"%d" % len(body))
        start = {"type": "http.response.start", "status": 202, "headers": [*_FIXED, *told]}
        return start, {"type": "http.response.body", "body": body}

    def post(self, url: bytes, headers: Headers, body: bytes, response: FastResponse) -> bool:
        """Answer a claim that came as a whole, without scope or task; False: it takes the full path."""
        by_name = dict(headers)
        if len(by_name) != len(headers) or by_name.get(b"content-type") != _TYPE[1]:
            return False
        if not is_host(by_name.get(b"host")) or b"transfer-encoding" in by_name:
            return False
        path = url.decode("latin-1")
        found = self._at_hand(path[len(BEFORE) : -len(AFTER)], body) if path.startswith(BEFORE) else None
        if found is None:
            return False
        answer, retry_after_s = found
        response.answer(202, _LINES % retry_after_s + self._lines_for(by_name.get(b"origin", b"")), answer)
        return True

    def _at_hand(self, sale_id: str, body: bytes) -> tuple[bytes, int] | None:
        """Return the answer and its Retry-After, None where the full path is to answer."""
        cached = self._sales.fresh(sale_id)
        room = self._desk.known(cached) if cached is not None else None
        if room is None or not room.is_fresh or room.is_down:
            return None
        ticket = self._ticket(room.cached.number, body)
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
