"""The fast path of a plain order: before the application, for at the peak of a sale it is what there is most of.

Owns the shortcut alone; accepting is `accept.py`, for both ways. Whatever is not plainly so (another media type,
`Prefer`, a cookie for an admission, a sale that is not at hand) takes the full path and gets the same
answer.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from doorbuster.contract.bodies.decoding import refusal_of
from doorbuster.contract.bodies.plain_text import PlainTextDecoder
from doorbuster.contract.fields import is_total_sure
from doorbuster.contract.orders import OrderRequest
from doorbuster.contract.problems import JSON
from intake.server.connection.framing import is_host
from intake.server.request_id import HEADER, request_id
from intake.web.problems import RefusedError
from intake.web.requests import is_key, token_of
from waitingroom.records.minutes import OFFERED

if TYPE_CHECKING:
    from doorbuster.errors import DoorbusterError
    from intake.orders.accept import Accepted, OrderAcceptor
    from intake.orders.authorize import OrderAuthorizer
    from intake.room.admission_verifier import AdmissionVerifier
    from intake.room.cache import CachedRoom
    from intake.sales.cache import CachedSale, Sales
    from intake.sales.minute_counts import Counts
    from intake.server.asgi import Headers
    from intake.server.connection.fast_response import FastResponse
    from intake.server.cors import CrossOrigin
    from intake.web.problems import Problems

BEFORE, AFTER = "/sales/", "/orders"
_JSON = JSON.encode()
_IDENTITY = b"x-request-id: %b\r\n"
_NAME = _IDENTITY.index(b"%")
_HEAD = b"content-type: %b\r\nx-content-type-options: nosniff\r\nlocation: /orders/%b\r\n%b"
_REPLAYED = b"idempotency-replayed: true\r\nidempotent-replayed: true\r\n"
_decode = PlainTextDecoder(OrderRequest).decode


class FastOrderPost:
    """Answers orders by the sale and the room at hand."""

    def __init__(
        self,
        sales: Sales,
        accepting: OrderAcceptor,
        admission: OrderAuthorizer,
        door: AdmissionVerifier,
        problems: Problems,
        cross_origin: CrossOrigin,
    ) -> None:
        self._sales, self._accepting, self._problems = sales, accepting, problems
        self._door = door
        self._room_of = door.known
        self._keys_asked = admission.is_needed_everywhere
        self._lines_for = cross_origin.lines
        self._is_anybodys = admission.is_anybodys

    def __call__(self, url: bytes, headers: Headers, body: bytes, exchange: FastResponse) -> bool:
        """Take an order and answer it once it is decided; False: it takes the full path."""
        path = url.decode("latin-1")
        known = self._sales.fresh(path[len(BEFORE) : -len(AFTER)]) if path.startswith(BEFORE) else None
        asked = _asked(headers)
        if known is None or asked is None:
            return False
        key, token, origin, identity = asked
        is_clear, room = self._room(known)
        # An admission that is missing, or that nobody asks for now, is for the full path.
        if not is_clear or (known.has_room and (room is None) != (token is None)):
            return False
        lines = _IDENTITY % identity + self._lines_for(origin) if origin else _IDENTITY % identity
        counts = known.counts
        try:
            order = _decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            counts[OFFERED] += 1
            self._refuse(exchange, lines, counts, refusal_of(body, OrderRequest, error))
            return True
        if order.expected_total is not None or not is_total_sure(order.lines):
            return False  # prices are to be looked at
        try:
            credit = None if room is None else self._door.admit(token or "", room, order)
            if self._keys_asked and self._is_anybodys(credit):
                return False
        except RefusedError as refused:
            counts[OFFERED] += 1
            self._refuse(exchange, lines, counts, refused)
            return True
        counts[OFFERED] += 1
        self._accepting.submit(known, order, key, credit, partial(self._answer, exchange, lines, counts))
        return True

    def _room(self, known: CachedSale) -> tuple[bool, CachedRoom | None]:
        """Return whether it is clear, from what is at hand, if an order needs an admission; and to which room."""
        room = self._room_of(known) if known.has_room else None
        if room is not None and room.needs_admission:
            return True, room
        return not self._keys_asked and (room is None or room.state is not None), None

    def _answer(
        self, exchange: FastResponse, own_lines: bytes, counts: Counts, verdict: Accepted | RefusedError
    ) -> None:
        if isinstance(verdict, RefusedError):
            self._refuse(exchange, own_lines, counts, verdict)
            return
        replayed = _REPLAYED if verdict.is_replay else b""
        head = _HEAD % (_JSON, verdict.order_id.encode(), replayed) + own_lines
        exchange.answer(202, head, verdict.body)

    def _refuse(self, exchange: FastResponse, own_lines: bytes, counts: Counts, refused: DoorbusterError) -> None:
        counts[refused.code] += 1
        identity = own_lines[_NAME : own_lines.index(b"\r")].decode()
        status, lines, body = self._problems.answer_lines(refused, identity)
        exchange.answer(status, lines + own_lines, body)


def _asked(headers: Headers) -> tuple[str, str | None, bytes, bytes] | None:
    """Return key, token, origin and request id that the headers of a plain order say, None if it is not plain."""
    by_name = dict(headers)
    key = by_name.get(b"idempotency-key", b"").decode("latin-1")
    is_plain = len(by_name) == len(headers) and by_name.get(b"content-type") == _JSON and b"prefer" not in by_name
    is_framed = is_host(by_name.get(b"host")) and b"transfer-encoding" not in by_name
    if not is_plain or not is_framed or not is_key(key):
        return None
    said = by_name.get(b"authorization")
    token = None if said is None else token_of(said.decode("latin-1"))
    return key, token, by_name.get(b"origin", b""), request_id(by_name.get(HEADER))
