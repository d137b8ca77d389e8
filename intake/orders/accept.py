"""Accepting one order, whichever way it came: hands it to the group commit, says what its verdict means.

Owns the checks that need no request, and what comes home: one value, an accepted order or a refusal. The body of the
answer is built from the verdict alone, so a replay gives the same bytes. Keeps no order.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from doorbuster import tracing
from doorbuster.contract.fields import id_problem
from doorbuster.contract.orders import LINE_METADATA_MAX, OrderRequest
from doorbuster.errors import DoorbusterError
from doorbuster.failures import STORE_FAILED
from doorbuster.orderstore import entry
from doorbuster.orderstore.accept import Candidate
from doorbuster.orderstore.ids import fingerprint_of, partition_of
from doorbuster.values import identities
from doorbuster.values.timestamps import rfc3339_ms
from intake.accepting import verdicts
from intake.orders.refusals import refusal_of
from intake.web.problems import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from doorbuster.contract.orders import OrderRequest
    from doorbuster.orderstore.ids import OrderIds
    from intake.accepting.durability import Durability
    from intake.accepting.spend import AdmissionCredit
    from intake.room.cache import RoomCache
    from intake.room.return_uses import Uses
    from intake.sales.cache import CachedSale
    from intake.sales.offers import Quote

    OnVerdict = Callable[["Accepted | RefusedError"], None]

log = logging.getLogger("doorbuster.intake.order_lane")

_AWAY: tuple[type[Exception], ...] = (DoorbusterError, *STORE_FAILED)

_mark = fingerprint_of(
    OrderRequest,
    first=("lines", "payment", "metadata"),
    excluded=frozenset({"customer_id", "expected_total", "identities"}),
)
"""Tells an order's body from another: the customer is in its id already, what it may cost is no part of it.

Identities are part of it as they are packed, never as they are sent: who sees a fingerprint could try values out.

Structs in the body omit defaults, so that a field that they grow leaves the fingerprint of orders without it as it was.
"""
_json = msgspec.json.Encoder().encode

NOT_DURABLE = "The order store is not durable; see /readyz"


class Accepted(NamedTuple):
    """An order that is taken for good."""

    order_id: str
    body: bytes
    """Of the 202."""
    is_replay: bool


class OrderAcceptor:
    """Accepts orders."""

    def __init__(self, order_ids: OrderIds, desk: RoomCache, durability: Durability, uses: Uses) -> None:
        self._ids = order_ids
        self._desk = desk
        self._uses = uses
        self._durability = durability
        self._asking: set[asyncio.Task[None]] = set()

    async def commit(
        self,
        known: CachedSale,
        order: OrderRequest,
        key: str,
        credit: AdmissionCredit | None,
        quote: Quote | None = None,
    ) -> Accepted:
        """Accept an order, and wait for the verdict.

        With a quote, which says that it costs something else than is expected, it is taken only if it was before.

        Raises:
            RefusedError: it is not taken.
        """
        future: asyncio.Future[Accepted | RefusedError] = asyncio.get_running_loop().create_future()

        def on_verdict(verdict: Accepted | RefusedError) -> None:
            if not future.done():  # who waited may be gone
                future.set_result(verdict)

        if quote is None:
            self.submit(known, order, key, credit, on_verdict)
        else:
            self.ask(known, order, key, quote, on_verdict)
        verdict = await future
        if isinstance(verdict, RefusedError):
            raise verdict
        return verdict

    def submit(
        self, known: CachedSale, order: OrderRequest, key: str, credit: AdmissionCredit | None, on_verdict: OnVerdict
    ) -> None:
        """Put an order into its partition's next batch; `on_verdict` is called once with what became of it.

        It is refused at once if the store is not durable, a product is not in the sale, or Postgres could not hold a
        value.
        """
        try:
            if self._durability.faults:
                raise RefusedError("store_unavailable", NOT_DURABLE)
            if (problem := id_problem(order.customer_id)) is not None:
                raise RefusedError("invalid", f"customer_id: {problem}", [("customer_id", problem)])
            lane = known.lanes[partition_of(order.customer_id, len(known.lanes))]
            products, sold_out, gone = known.sale.products, lane.sold_out, False
            for line in order.lines:
                if line.product_id not in products:
                    raise _not_in_sale(known, order)
                gone = gone or line.product_id in sold_out
            order_id = self._ids.derive(known.number, lane.partition, customer_id=order.customer_id, key=key)
            # An order that would stand by is accepted although a product is gone: it waits for units to come back.
            mark, payload = _packed(known, order, order_id, is_wanted=not gone or order.standby)
        except RefusedError as refusal:
            on_verdict(refusal)
            return
        spend = None if credit is None else credit.spend(lane.spent_prefix)
        tell = partial(self._tell, known, order, credit, on_verdict)
        lane.commit.submit(Candidate(lane.accepted_prefix + order_id.hex(), mark, payload, spend, tell))

    def _tell(
        self,
        known: CachedSale,
        order: OrderRequest,
        credit: AdmissionCredit | None,
        on_verdict: OnVerdict,
        candidate: Candidate,
        verdict: bytes,
    ) -> None:
        if credit is not None and verdict[:1] == verdicts.SPENT:
            # Rare, and perhaps not the last word: a use of the admission may have come back.
            task = asyncio.ensure_future(self._ask_again(known, order, credit, on_verdict, candidate))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)
            return
        on_verdict(self.resolve(known, order, credit, candidate, verdict))

    async def _ask_again(
        self,
        known: CachedSale,
        order: OrderRequest,
        credit: AdmissionCredit,
        on_verdict: OnVerdict,
        candidate: Candidate,
    ) -> None:
        """Submit an order again if its admission has got uses back, of orders that ended without units."""

        def tell(_: Candidate, verdict: bytes) -> None:
            on_verdict(self.resolve(known, order, credit, candidate, verdict))

        try:
            if self._durability.faults:
                raise RefusedError("store_unavailable", NOT_DURABLE)
            if await self._uses.come_back(known, credit.admission.spend_id):
                await self._desk.take_again(known, credit.admission)
                lane = known.lanes[partition_of(order.customer_id, len(known.lanes))]
                lane.commit.submit(
                    Candidate(candidate.key, candidate.fingerprint, candidate.entry, candidate.spend, tell)
                )
            else:
                tell(candidate, verdicts.SPENT)
        except _AWAY as error:
            log.warning("a spent admission cannot be asked about", extra={"error": error})
            on_verdict(RefusedError("store_unavailable", "A store did not answer; the key is safe to send again"))
        except BaseException:  # a defect or the end of the process: nobody may wait for ever
            on_verdict(RefusedError("internal", "The cause is in the log of the server"))
            raise

    def order_id(self, known: CachedSale, customer_id: str, key: str) -> bytes:
        """Return the id of the order that a customer's idempotency key makes or has made."""
        partition = partition_of(customer_id, len(known.lanes))
        return self._ids.derive(known.number, partition, customer_id=customer_id, key=key)

    def ask(self, known: CachedSale, order: OrderRequest, key: str, quote: Quote, on_verdict: OnVerdict) -> None:
        """Ask whether the order was accepted before: it is refused for its prices if not, and nothing is stored.

        Raises:
            RefusedError: it could not be stored at any price.
        """

        def tell(candidate: Candidate, verdict: bytes) -> None:
            is_new = verdict[:1] == verdicts.SOLD_OUT
            on_verdict(quote.refusal() if is_new else self.resolve(known, order, None, candidate, verdict))

        if (problem := id_problem(order.customer_id)) is not None:
            raise RefusedError("invalid", f"customer_id: {problem}", [("customer_id", problem)])
        lane = known.lanes[partition_of(order.customer_id, len(known.lanes))]
        order_id = self.order_id(known, order.customer_id, key)
        mark, _ = _packed(known, order, order_id)  # what could not be stored at any price is refused for that
        lane.commit.submit(Candidate(lane.accepted_prefix + order_id.hex(), mark, b"", None, tell))

    def resolve(
        self,
        known: CachedSale,
        order: OrderRequest,
        credit: AdmissionCredit | None,
        candidate: Candidate,
        verdict: bytes,
    ) -> Accepted | RefusedError:
        """Return what a verdict means, and give the slot of a used-up admission back."""
        first = verdict[:1]
        if credit is not None:
            is_last = first == verdicts.NEW and credit.admission.orders_allowed == 1
            if is_last or first == verdicts.SPENT:
                self._desk.give_back(known, credit.admission)
        if first not in (verdicts.NEW, verdicts.REPLAY):
            return refusal_of(known, first, order, room=first == verdicts.EXPIRED)
        digits = candidate.key[-32:]  # as the contract writes an id, without the cost of a UUID object
        order_id = f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
        body = (
            f'{{"order_id":"{order_id}{known.answer_head}{rfc3339_ms(int(verdict[1:].split(b"-", 1)[0]))}",'
            f'"links":{{"self":"/orders/{order_id}","events":"/orders/{order_id}/events"}}}}'
        ).encode()
        return Accepted(order_id, body, first == verdicts.REPLAY)

    def refuse_likely(self, known: CachedSale, order: OrderRequest) -> None:
        """Say what stands in the way of an order that lacks an admission, if this process knows: no store is asked.

        Raises:
            RefusedError: the sale is not open, or a product is sold out; it names the room while that is to come.
        """
        room = self._desk.known(known)
        verdict = None if room is None else known.likely_verdict(order, room.now_s)
        if verdict is not None:
            raise refusal_of(known, verdict, order, room=verdict in (verdicts.EARLY, verdicts.HOLD)) from None


def _packed(known: CachedSale, order: OrderRequest, order_id: bytes, *, is_wanted: bool = True) -> tuple[bytes, bytes]:
    """Return an order's fingerprint and its entry, empty if that is not wanted.

    Raises:
        RefusedError: Postgres could not hold a value.
    """
    try:
        people = None
        if (named := order.identities) is not None:
            people = identities.pack(known.sale.identity_key, (named.email, named.card, named.address, named.device))
        mark = _fingerprint(order, people)
        return mark, _entry(order, order_id, mark, people) if is_wanted else b""
    except (OverflowError, RecursionError) as error:
        raise _cannot_hold_metadata() from error


def _fingerprint(order: OrderRequest, people: bytes | None) -> bytes:
    mark = _mark(order)
    return mark if people is None else hashlib.blake2b(mark + people, digest_size=16).digest()


def _entry(order: OrderRequest, order_id: bytes, mark: bytes, people: bytes | None) -> bytes:
    if order.metadata is not None and _holds_nul(order.metadata):
        raise RefusedError("invalid", "metadata holds the character U+0000", [("metadata", "must not hold U+0000")])
    trace = tracing.current() if tracing.ON else None
    says_more = order.expected_total is not None or order.standby or people is not None or trace is not None
    for line in order.lines:
        says_more = says_more or line.metadata is not None
    if says_more:
        return entry.encode(
            entry.OrderEntry(
                order_id=order_id,
                customer_id=order.customer_id,
                lines=tuple(entry.EntryLine(line.product_id, line.quantity) for line in order.lines),
                fingerprint=mark,
                payment_token=order.payment.token if order.payment else None,
                metadata=_json(order.metadata) if order.metadata is not None else None,
                expected_total=order.expected_total,
                standby=order.standby or None,
                identities=people,
                lines_metadata=_lines_metadata(order),
                traceparent=trace,
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


def _lines_metadata(order: OrderRequest) -> bytes | None:
    """Return what the lines carry along, as one JSON array; None: nothing."""
    given = [line.metadata for line in order.lines]
    for place, metadata in enumerate(given):
        if metadata is not None:
            if _holds_nul(metadata):
                raise _wrong_line(place, "must not hold U+0000")
            if len(_json(metadata)) > LINE_METADATA_MAX:
                raise _wrong_line(place, f"must have at most {LINE_METADATA_MAX} bytes as JSON")
    return _json(given) if any(metadata is not None for metadata in given) else None


def _wrong_line(place: int, problem: str) -> RefusedError:
    return RefusedError("invalid", f"lines[{place}].metadata {problem}", [(f"lines[{place}].metadata", problem)])


def _cannot_hold_metadata() -> RefusedError:
    problem = "must not hold whole numbers beyond 64 bits, nor be nested without end"
    return RefusedError("invalid", f"metadata {problem}", [("metadata", problem)])


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
