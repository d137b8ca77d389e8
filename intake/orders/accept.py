"""Accepting one order, whichever way it came: hands it to the group commit, says what its verdict means.

Owns the checks that need no request, and the one form of the answer: it is built from the verdict alone, so a replay
gives the same bytes. Keeps no order, asks no store itself.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from doorbuster.contract.fields import id_problem
from doorbuster.contract.orders import OrderRequest
from doorbuster.orderstore import entry
from doorbuster.orderstore.ids import fingerprint_of, partition_of
from intake.accepting import verdicts
from intake.accepting.group_commit import Candidate
from intake.web.problems import RefusedError
from intake.web.timestamps import rfc3339_ms
from intake.web.urls import page_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from doorbuster.contract.fields import EffectivePhase
    from doorbuster.contract.orders import OrderRequest
    from doorbuster.orderstore.ids import OrderIds
    from intake.accepting.durability import Durability
    from intake.accepting.group_commit import Tell
    from intake.accepting.spend import AdmissionCredit
    from intake.room.cache import RoomDesk
    from intake.room.return_uses import Uses
    from intake.sales.cache import CachedSale
    from intake.sales.offers import Quote

_mark = fingerprint_of(
    OrderRequest,
    first=("lines", "payment", "metadata"),
    excluded=frozenset({"customer_id", "expected_total"}),
)
"""Tells an order's body from another: the customer is in its id already, what it may cost is no part of it.

Structs in the body omit defaults, so that a field that they grow leaves the fingerprint of orders without it as it was.
"""
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


class Accepting:
    """Accepts orders."""

    def __init__(self, order_ids: OrderIds, desk: RoomDesk, durability: Durability, uses: Uses) -> None:
        self._ids = order_ids
        self._desk = desk
        self._uses = uses
        self._durability = durability

    async def commit(
        self,
        known: CachedSale,
        order: OrderRequest,
        key: str,
        credit: AdmissionCredit | None,
        quote: Quote | None = None,
    ) -> tuple[str, bytes]:
        """Accept an order; return its id and the verdict, NEW or REPLAY with the entry's id.

        With a quote, which says that it costs something else than is expected, it is taken only if it was before.

        Raises:
            RefusedError: see `submit` and `settle`.
        """
        if quote is not None:
            order_id, verdict = await self._decided(partial(self._ask, known, order, key))
            if verdict[:1] == verdicts.SOLD_OUT:
                raise quote.refusal()
            self.settle(known, verdict, order, None)
            return order_id, verdict
        submit = partial(self.submit, known, order, key, credit)
        order_id, verdict = await self._decided(submit)
        if verdict[:1] == verdicts.SPENT and credit is not None and await self._came_back(known, credit):
            order_id, verdict = await self._decided(submit)
        self.settle(known, verdict, order, credit)
        return order_id, verdict

    async def _came_back(self, known: CachedSale, credit: AdmissionCredit) -> bool:
        """Give the admission the uses again of orders that ended without units; say whether there were any."""
        if not await self._uses.come_back(known, credit.admission.spend_id):
            return False
        await self._desk.take_again(known, credit.admission)
        return True

    @staticmethod
    async def _decided(submit: Callable[..., None]) -> tuple[str, bytes]:
        future: asyncio.Future[tuple[str, bytes]] = asyncio.get_running_loop().create_future()

        def tell(candidate: Candidate, verdict: bytes) -> None:
            if not future.done():  # who waited may be gone
                future.set_result((order_id_text(candidate), verdict))

        submit(tell=tell)
        return await future

    def submit(
        self, known: CachedSale, order: OrderRequest, key: str, credit: AdmissionCredit | None, *, tell: Tell
    ) -> None:
        """Put an order into its partition's next batch; `tell` is told the verdict, which is then to be settled.

        Raises:
            RefusedError: the store is not durable, a product is not in the sale, or Postgres could not hold a value.
        """
        if self._durability.faults:
            raise RefusedError("store_unavailable", "The order store is not durable; see /readyz")
        if (problem := id_problem(order.customer_id)) is not None:
            raise RefusedError("invalid", f"customer_id: {problem}", [("customer_id", problem)])
        lane = known.lanes[partition_of(order.customer_id, len(known.lanes))]
        products, sold_out, gone = known.sale.products, lane.sold_out, False
        for line in order.lines:
            if line.product_id not in products:
                raise _not_in_sale(known, order)
            gone = gone or line.product_id in sold_out
        order_id = self._ids.derive(known.number, lane.partition, customer_id=order.customer_id, key=key)
        try:
            mark = _mark(order)
            payload = b"" if gone else _entry(order, order_id, mark)
        except (OverflowError, RecursionError) as error:
            problem = "must not hold whole numbers beyond 64 bits, nor be nested without end"
            raise RefusedError("invalid", f"metadata {problem}", [("metadata", problem)]) from error
        spend = None if credit is None else credit.spend(lane.spent_prefix)
        lane.commit.submit(Candidate(lane.accepted_prefix + order_id.hex(), mark, payload, spend, tell))

    def order_id(self, known: CachedSale, customer_id: str, key: str) -> bytes:
        """Return the id of the order that a customer's idempotency key makes or has made."""
        partition = partition_of(customer_id, len(known.lanes))
        return self._ids.derive(known.number, partition, customer_id=customer_id, key=key)

    def _ask(self, known: CachedSale, order: OrderRequest, key: str, *, tell: Tell) -> None:
        """Ask whether the order is known; SOLD_OUT says that it is not: nothing is stored."""
        lane = known.lanes[partition_of(order.customer_id, len(known.lanes))]
        order_id = self.order_id(known, order.customer_id, key)
        lane.commit.submit(Candidate(lane.accepted_prefix + order_id.hex(), _mark(order), b"", None, tell))

    def settle(self, known: CachedSale, verdict: bytes, order: OrderRequest, credit: AdmissionCredit | None) -> None:
        """Give the slot of a used-up admission back, and refuse what was not taken.

        Raises:
            RefusedError: the verdict is neither NEW nor REPLAY.
        """
        first = verdict[:1]
        if credit is not None:
            is_last = first == verdicts.NEW and credit.admission.orders_allowed == 1
            if is_last or first == verdicts.SPENT:
                self._desk.give_back(known, credit.admission)
        if first not in (verdicts.NEW, verdicts.REPLAY):
            members = {"room": page_of(known.sale.sale_id)} if first == verdicts.EXPIRED else {}
            raise RefusedError(*_REFUSALS[first], members=members | _facts(known, first, order))

    def refuse_likely(self, known: CachedSale, order: OrderRequest) -> None:
        """Say what stands in the way of an order that lacks an admission, if this process knows: no store is asked.

        Raises:
            RefusedError: the sale is not open, or a product is sold out; it names the room while that is to come.
        """
        room = self._desk.known(known)
        verdict = None if room is None else known.likely_verdict(order, room.now_s)
        if verdict is not None:
            is_to_come = verdict in (verdicts.EARLY, verdicts.HOLD)
            members = {"room": page_of(known.sale.sale_id)} if is_to_come else {}
            raise RefusedError(*_REFUSALS[verdict], members=members | _facts(known, verdict, order)) from None


_PHASES: dict[bytes, EffectivePhase] = {verdicts.EARLY: "scheduled", verdicts.LATE: "ended", verdicts.HOLD: "hold"}


def _facts(known: CachedSale, verdict: bytes, order: OrderRequest) -> dict[str, Any]:
    """Return what a refusal is about, as members of its problem."""
    sale = known.sale
    if verdict in _PHASES or verdict == verdicts.CLOSED:
        closed: EffectivePhase = "drain" if sale.phase == "drain" else "closed"
        facts = {"phase": _PHASES.get(verdict, closed), "starts_at": sale.starts_at}
        return facts if sale.ends_at is None else facts | {"ends_at": sale.ends_at}
    if verdict == verdicts.SOLD_OUT:
        gone = known.lanes[partition_of(order.customer_id, len(known.lanes))].sold_out
        for number, line in enumerate(order.lines, 1):
            if line.product_id in gone:
                return {"line": number, "product_id": line.product_id, "left": 0}
    return {}


def order_id_text(candidate: Candidate) -> str:
    """Return the order's id as the contract writes it, without the cost of a UUID object."""
    digits = candidate.key[-32:]
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def answer(known: CachedSale, order_id: str, verdict: bytes) -> bytes:
    """Return the body of the 202 for NEW or REPLAY."""
    return (
        f'{{"order_id":"{order_id}{known.answer_head}{rfc3339_ms(int(verdict[1:].split(b"-", 1)[0]))}",'
        f'"links":{{"self":"/orders/{order_id}","events":"/orders/{order_id}/events"}}}}'
    ).encode()


def _entry(order: OrderRequest, order_id: bytes, mark: bytes) -> bytes:
    if order.metadata is not None and _holds_nul(order.metadata):
        raise RefusedError("invalid", "metadata holds the character U+0000", [("metadata", "must not hold U+0000")])
    if order.expected_total is not None:
        return entry.encode(
            entry.OrderEntry(
                order_id=order_id,
                customer_id=order.customer_id,
                lines=tuple(entry.Line(line.product_id, line.quantity) for line in order.lines),
                fingerprint=mark,
                payment_token=order.payment.token if order.payment else None,
                metadata=_json(order.metadata) if order.metadata is not None else None,
                expected_total=order.expected_total,
            )
        )
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
        (f"lines[{place}].product_id", id_problem(line.product_id) or "is not in this sale")
        for place, line in enumerate(order.lines)
        if line.product_id not in known.sale.products
    ]
    return RefusedError("invalid", f"The sale {known.sale.sale_id!r} does not have all of these products", fields)
