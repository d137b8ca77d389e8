"""The orders of a batch post: each is checked as a post of its own, then all go into the next batches of the store.

Owns the order of the checks and the verdict a line; accepting is `accept.py`. What can be refused without a store is,
and prices and room are looked at once. Lines that are taken go together: one group commit a partition, if it has room.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from doorbuster.contract.bodies.decoding import read
from doorbuster.contract.bodies.plain_text import PlainTextDecoder
from doorbuster.contract.orders import AcceptedOrder, BatchOrder, BatchVerdict
from doorbuster.contract.problems import Problem
from doorbuster.errors import DoorbusterError, InvalidError
from doorbuster.failures import STORE_FAILED
from intake.orders.accept import Accepted
from intake.sales.offers import needs_quote, quote_of
from intake.web.problems import RefusedError
from intake.web.requests import key_refusal
from intake.web.urls import page_of
from waitingroom.records.minutes import OFFERED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from db.products.offers import SaleOffer
    from intake.accepting.spend import AdmissionCredit
    from intake.orders.accept import OrderAcceptor
    from intake.room.admission_verifier import AdmissionVerifier
    from intake.room.cache import CachedRoom
    from intake.sales.cache import CachedSale
    from intake.sales.offers import OfferCache
    from intake.web.json_lines import BodyLine
    from intake.web.problems import Problems

    Verdict = Accepted | DoorbusterError

LINES_A_TURN = 32
"""Lines that are read before others have their turn in the loop."""

_line = PlainTextDecoder(BatchOrder)
_accepted = msgspec.json.Decoder(AcceptedOrder).decode
_problem = msgspec.json.Decoder(Problem).decode
_encode = msgspec.json.Encoder().encode


class _Order(NamedTuple):
    """A line that nothing stands in the way of, as far as is known without a store."""

    order: BatchOrder
    key: str
    credit: AdmissionCredit | None


class BatchLines:
    """Takes the orders of batch posts."""

    def __init__(
        self, accepting: OrderAcceptor, door: AdmissionVerifier, offering: OfferCache, problems: Problems
    ) -> None:
        self._accepting, self._door, self._offering, self._problems = accepting, door, offering, problems

    async def take(self, known: CachedSale, lines: Sequence[BodyLine], line_max: int) -> list[bytes]:
        """Take what can be taken; return a verdict a line, in their order, once every one is known.

        Raises:
            RefusedError: whether the room asks for admissions cannot be told; nothing was taken.
        """
        room = await self._door.needed(known) if known.has_room else None
        known.counts[OFFERED] += len(lines)
        found: list[_Order | DoorbusterError] = []
        for place, line in enumerate(lines):
            if place and place % LINES_A_TURN == 0:
                await asyncio.sleep(0)
            found.append(self._look(known, room, line, line_max))
        offers = await self._offers(known, found)
        verdicts = await self._submit(known, found, offers)
        return [self._told(known, line.number, verdict) for line, verdict in zip(lines, verdicts, strict=True)]

    def _look(
        self, known: CachedSale, room: CachedRoom | None, line: BodyLine, line_max: int
    ) -> _Order | DoorbusterError:
        try:
            if line.text is None:
                raise RefusedError("too_large", f"A line may have at most {line_max} bytes")
            order = read(line.text, _line)
            key = order.idempotency_key or ""
            if (refusal := key_refusal(key, "idempotency_key", "attempt to buy")) is not None:
                raise refusal
            return _Order(order, key, None if room is None else self._admit(known, room, order))
        except DoorbusterError as error:
            return error

    def _admit(self, known: CachedSale, room: CachedRoom, order: BatchOrder) -> AdmissionCredit:
        if order.admission:
            return self._door.admit(order.admission, room, order)
        self._accepting.refuse_likely(known, order)
        page = page_of(known.sale.sale_id)
        raise RefusedError("admission_required", "Wait in the sale's room for an admission", members={"room": page})

    async def _offers(
        self, known: CachedSale, found: Sequence[_Order | DoorbusterError]
    ) -> Mapping[str, SaleOffer] | None:
        """Return what the sale offers if any order is to be held against it, and anybody can say."""
        if not any(isinstance(one, _Order) and needs_quote(one.order) for one in found):
            return None
        try:
            return (await self._offering.of(known)).by_id
        except STORE_FAILED:  # the drain decides, by what the orders say is expected
            return None

    async def _submit(
        self,
        known: CachedSale,
        found: Sequence[_Order | DoorbusterError],
        offers: Mapping[str, SaleOffer] | None,
    ) -> list[Verdict]:
        """Have the orders decided; what is no order is refused already."""
        verdicts: list[Verdict | None] = [None if isinstance(one, _Order) else one for one in found]
        decided = asyncio.get_running_loop().create_future()
        left = verdicts.count(None)

        def tell(place: int, verdict: Accepted | RefusedError) -> None:
            nonlocal left
            verdicts[place] = verdict
            left -= 1
            if left == 0 and not decided.done():  # who waited may be gone
                decided.set_result(None)

        # Nothing is awaited in between: what one partition's orders find waiting there they join as a whole.
        for place, one in enumerate(found):
            if isinstance(one, _Order):
                on_verdict = partial(tell, place)
                try:
                    quote = None if offers is None or not needs_quote(one.order) else quote_of(offers, one.order)
                    if quote is None:
                        self._accepting.submit(known, one.order, one.key, one.credit, on_verdict)
                    else:
                        self._accepting.ask(known, one.order, one.key, quote, on_verdict)
                except RefusedError as refusal:
                    on_verdict(refusal)
        if left:
            await decided
        return [verdict for verdict in verdicts if verdict is not None]

    def _told(self, known: CachedSale, number: int, verdict: Verdict) -> bytes:
        if isinstance(verdict, Accepted):
            order = _accepted(verdict.body)
            said = BatchVerdict(
                line=number,
                status=202,
                order_id=order.order_id,
                accepted_at=order.accepted_at,
                links=order.links,
                replayed=verdict.is_replay,
            )
            return _encode(said) + b"\n"
        known.counts[verdict.code] += 1
        fields = verdict.fields if isinstance(verdict, RefusedError | InvalidError) else None
        members = verdict.members if isinstance(verdict, RefusedError) else None
        answer = self._problems.answer(verdict.code, verdict.detail, fields, members)
        problem = _problem(answer.body)
        said = BatchVerdict(
            line=number, status=answer.status, code=problem.code, detail=problem.detail, problem=problem
        )
        if (again := answer.headers.get("retry-after")) is not None:
            said.retry_after_s = int(again)
        return _encode(said) + b"\n"
