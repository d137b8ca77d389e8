"""`POST /sales/{sale}/orders`: reads, checks and commits one order. Owns the order of the checks, keeps no order.

Everything that can be refused without a store is refused before one is asked; the answer is built from the verdict of
the group commit alone, so a replay gives the same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from doorbuster import entry
from doorbuster.contract import OrderRequest
from doorbuster.ids import fingerprint, partition_of
from doorbuster.reading import read
from intake import group_commit as verdicts
from intake.limits import BODY
from intake.moments import moment
from intake.problems import RefusedError
from intake.room.door import page_of

if TYPE_CHECKING:
    from falcon.asgi import Request, Response

    from doorbuster.ids import OrderIds
    from intake.admission import Admission, Pass
    from intake.awaiting import Awaiting
    from intake.durability import Durability
    from intake.room.desk import RoomDesk
    from intake.sales import CachedSale, Sales

KEY_MAX = 255
JSON = "application/json"

_decoder = msgspec.json.Decoder(OrderRequest)
_canonical = msgspec.msgpack.Encoder(order="sorted").encode
_json = msgspec.json.Encoder().encode

_REFUSALS = {
    verdicts.CONFLICT: ("idempotency_conflict", "This Idempotency-Key was used with another body; use a new key"),
    verdicts.SOLD_OUT: ("sold_out", "A product of the order is sold out"),
    verdicts.BACKLOG: ("overloaded", "Too many orders wait to be worked off; the key is safe to send again"),
    verdicts.NO_GATE: ("store_unavailable", "The sale is not ready in the order store; the key is safe to send again"),
    verdicts.EARLY: ("sale_not_open", "The sale has not begun"),
    verdicts.LATE: ("sale_not_open", "The sale has ended"),
    verdicts.HOLD: ("sale_not_open", "The sale is on hold"),
    verdicts.CLOSED: ("sale_not_open", "The sale is closed"),
    verdicts.SPENT: ("admission_spent", "As many orders as the admission allows were placed with it"),
    verdicts.REVOKED: ("admission_invalid", "The admission was revoked; join the room again"),
    verdicts.EXPIRED: ("admission_expired", "The admission has run out; join the room again"),
    verdicts.UNKNOWN: (
        "store_unavailable",
        "It is not known whether the order was taken; the same Idempotency-Key is safe to send again",
    ),
}


class PostOrder:
    """Resource of a sale's orders."""

    def __init__(
        self,
        sales: Sales,
        order_ids: OrderIds,
        admission: Admission,
        desk: RoomDesk,
        *,
        awaiting: Awaiting,
        durability: Durability,
    ) -> None:
        self._sales = sales
        self._desk = desk
        self._durability = durability
        self._ids = order_ids
        self._admission = admission
        self._awaiting = awaiting

    async def on_post(self, req: Request, resp: Response, sale: str) -> None:
        """Accept an order durably."""
        require_json(req)
        order = read(req.scope[BODY], _decoder)
        key = _idempotency_key(req)
        known = self._sales.fresh(sale) or await self._sales.get(sale)
        if known is None:
            raise RefusedError("sale_not_found", f"There is no sale {sale[:64]!r}")
        pass_ = None
        if known.has_room or self._admission.is_needed_everywhere:
            pass_ = await self._admit(req, known, order)
        candidate = self._submit(known, order, key, pass_)
        verdict = await candidate.future
        if verdict[:1] != verdicts.NEW or pass_ is not None:
            self._settle(known, verdict, pass_)
            if verdict[:1] == verdicts.REPLAY:
                resp.set_header("Idempotency-Replayed", "true")
        digits = candidate.key[-32:]
        text = f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
        if req.get_header("Prefer") is not None and await self._awaiting.answer(req, resp, UUID(digits)):
            return
        resp.status = 202
        resp.content_type = JSON
        resp.set_header("Location", f"/orders/{text}")
        resp.data = (
            f'{{"order_id":"{text}{known.answer_head}{moment(int(verdict[1:].split(b"-", 1)[0]))}",'
            f'"links":{{"self":"/orders/{text}","events":"/orders/{text}/events"}}}}'
        ).encode()

    async def take(self, req: Request, known: CachedSale, order: OrderRequest, key: str) -> tuple[UUID, bytes]:
        """Accept an order; return its id and the verdict, NEW or REPLAY with the entry's id.

        Raises:
            RefusedError: it is not let in, or not taken.
        """
        pass_ = await self._admit(req, known, order)
        candidate = self._submit(known, order, key, pass_)
        verdict = await candidate.future
        self._settle(known, verdict, pass_)
        return UUID(candidate.key[-32:]), verdict

    async def _admit(self, req: Request, known: CachedSale, order: OrderRequest) -> Pass | None:
        """Let the request pass; who is sent to the room hears first whether there is anything to wait for."""
        try:
            return await self._admission.check(req, known, order)
        except RefusedError as error:
            room = self._desk.known(known)
            if error.code != "admission_required" or error.room is None or room is None:
                raise
            verdict = known.likely_verdict(order, room.now_s)
            if verdict is None:
                raise
            page = error.room if verdict in (verdicts.EARLY, verdicts.HOLD) else None
            raise RefusedError(*_REFUSALS[verdict], room=page) from None

    def _submit(self, known: CachedSale, order: OrderRequest, key: str, pass_: Pass | None) -> verdicts.Candidate:
        """Put an order into its partition's next batch."""
        if self._durability.faults:
            raise RefusedError("store_unavailable", "The order store is not durable; see /readyz")
        lane = known.lanes[partition_of(order.customer_id, len(known.lanes))]
        products, sold_out, gone = known.sale.products, lane.sold_out, False
        for line in order.lines:
            if line.product_id not in products:
                raise _not_in_sale(known, order)
            gone = gone or line.product_id in sold_out
        order_id = self._ids.derive_bytes(known.number, lane.partition, customer_id=order.customer_id, key=key)
        try:
            mark = fingerprint(_canonical((order.lines, order.payment, order.metadata)))
            payload = b"" if gone else _entry(order, order_id, mark)
        except (OverflowError, RecursionError) as error:
            problem = "must not hold whole numbers beyond 64 bits, nor be nested without end"
            raise RefusedError("invalid", f"metadata {problem}", [("metadata", problem)]) from error
        spend = None if pass_ is None else pass_.spend(lane.spent_prefix)
        candidate = verdicts.Candidate(lane.accepted_prefix + order_id.hex(), mark, payload, spend)
        lane.commit.submit(candidate)
        return candidate

    def _settle(self, known: CachedSale, verdict: bytes, pass_: Pass | None) -> None:
        """Give the slot of a used-up admission back, and refuse what was not taken."""
        first = verdict[:1]
        if pass_ is not None and (first == verdicts.SPENT or (first == verdicts.NEW and pass_.orders_allowed == 1)):
            self._desk.give_back(known, pass_.admission)
        if first not in (verdicts.NEW, verdicts.REPLAY):
            room = page_of(known.sale.sale_id) if first == verdicts.EXPIRED else None
            raise RefusedError(*_REFUSALS[first], room=room)


def _entry(order: OrderRequest, order_id: bytes, mark: bytes) -> bytes:
    if order.metadata is not None and _holds_nul(order.metadata):
        raise RefusedError("invalid", "metadata holds the character U+0000", [("metadata", "must not hold U+0000")])
    return entry.encode_accepted(
        order_id,
        order.customer_id,
        [(line.product_id, line.quantity) for line in order.lines],
        fingerprint=mark,
        payment_token=order.payment.token if order.payment else None,
        metadata=_json(order.metadata) if order.metadata is not None else None,
    )


def _holds_nul(value: Any) -> bool:
    """Say whether a JSON value holds U+0000, which Postgres cannot store."""
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, dict):
        return any("\x00" in name or _holds_nul(inner) for name, inner in value.items())
    return isinstance(value, list) and any(_holds_nul(inner) for inner in value)


def _not_in_sale(known: CachedSale, order: OrderRequest) -> RefusedError:
    fields = [
        (f"lines[{place}].product_id", "is not in this sale")
        for place, line in enumerate(order.lines)
        if line.product_id not in known.sale.products
    ]
    return RefusedError("invalid", f"The sale {known.sale.sale_id!r} does not have all of these products", fields)


def require_json(req: Request) -> None:
    """Refuse a body that says it is something else than JSON."""
    media = req.content_type
    if media == JSON or media is None or media.partition(";")[0].strip().lower() == JSON:
        return
    raise RefusedError("unsupported_media_type", f"The body must be {JSON}")


def _idempotency_key(req: Request) -> str:
    key = req.get_header("Idempotency-Key")
    if key is not None and 0 < len(key) <= KEY_MAX and key.isascii() and key.isprintable():
        return key
    problem = "is required" if not key else f"must be 1 to {KEY_MAX} printable ASCII characters"
    raise RefusedError("malformed", f"The header Idempotency-Key {problem}", [("Idempotency-Key", problem)])
