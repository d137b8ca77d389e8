"""The short way of a plain order: before the application, for at the peak of a sale it is what there is most of.

Owns the shortcut alone; accepting is `accepting.py`, for both ways. Whatever is not plainly so (another media type,
`Prefer`, a cookie for an admission, a body or a sale that cannot be read here) goes the long way. So does every
refusal, already decided, so that it is told in one place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from doorbuster.contract import OrderRequest
from intake import group_commit as verdicts
from intake.accepting import answer, order_id_text
from intake.limits import BODY
from intake.posting import DECIDED, JSON, is_key
from intake.problems import RefusedError
from intake.room.door import token_of

if TYPE_CHECKING:
    from intake.accepting import Accepting
    from intake.admission import Pass
    from intake.group_commit import Candidate
    from intake.limits import Answer, Scope
    from intake.room.desk import OpenRoom, RoomDesk
    from intake.room.door import RoomDoor
    from intake.sales import CachedSale, Sales

BEFORE, AFTER = "/sales/", "/orders"
_JSON = JSON.encode()
_TYPE = (b"content-type", _JSON)
_REPLAYED = (b"idempotency-replayed", b"true")
_decode = msgspec.json.Decoder(OrderRequest).decode


class OrderLane:
    """Answers orders by the sale and the room at hand."""

    def __init__(self, sales: Sales, accepting: Accepting, desk: RoomDesk, door: RoomDoor, *, keys_asked: bool) -> None:
        """Take the parts, and whether every order without an admission must show a storefront key."""
        self._sales, self._accepting, self._desk, self._door = sales, accepting, desk, door
        self._keys_asked = keys_asked

    async def __call__(self, scope: Scope) -> Answer | None:
        """Return the answer, None for the long way."""
        path: str = scope["path"]
        if scope["method"] != "POST" or not path.endswith(AFTER) or not path.startswith(BEFORE):
            return None
        known = self._sales.fresh(path[len(BEFORE) : -len(AFTER)])
        if known is None:
            return None
        try:
            return await self._accept(scope, known)
        except RefusedError as refused:
            scope[DECIDED] = refused
            return None

    async def _accept(self, scope: Scope, known: CachedSale) -> Answer | None:
        room = self._desk.known(known) if known.has_room else None
        submitted = self._submit(scope, known, room)
        if submitted is None:
            return None
        candidate, pass_ = submitted
        verdict = await candidate.future
        self._accepting.settle(known, verdict, pass_)
        order_id = order_id_text(candidate)
        body = answer(known, order_id, verdict)
        told = [_TYPE, (b"content-length", b"%d" % len(body)), (b"location", b"/orders/%b" % order_id.encode())]
        if verdict[:1] == verdicts.REPLAY:
            told.append(_REPLAYED)
        start = {"type": "http.response.start", "status": 202, "headers": told}
        return start, {"type": "http.response.body", "body": body}

    def _submit(self, scope: Scope, known: CachedSale, room: OpenRoom | None) -> tuple[Candidate, Pass | None] | None:
        """Put a plain order into the next batch; None: it is not plain."""
        headers = dict(scope["headers"])
        key = headers.get(b"idempotency-key", b"").decode("latin-1")
        if len(headers) != len(scope["headers"]) or headers.get(b"content-type") != _JSON or b"prefer" in headers:
            return None
        if not is_key(key) or not self._is_known(room):
            return None
        try:
            order = _decode(scope[BODY])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        pass_ = None
        if room is not None and room.needs_admission:
            token = token_of(headers.get(b"authorization", b"").decode("latin-1"))
            if token is None:
                return None
            pass_ = self._door.admit(token, room, order.customer_id)
        return self._accepting.submit(known, order, key, pass_), pass_

    def _is_known(self, room: OpenRoom | None) -> bool:
        """Say whether it is clear, without a store and a storefront key, if the order needs an admission."""
        if room is not None and room.needs_admission:
            return True
        return not self._keys_asked and (room is None or room.state is not None)
