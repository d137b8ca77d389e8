"""The settle shift: has payments of reserved orders authorised, many at once, and confirms or cancels them in batches.

Owns which payments are in flight and which answers are not written yet; the gateway answers, `reconcile.py` decides,
`db.orders.transitions` moves orders. Never holds a transaction open while a gateway is asked, nor forgets an answer
because a store failed. A payment whose outcome is unknown is looked up before it is asked for again.

A hold that ends does not cancel an order by itself: its payment is asked for once more. Without an answer its units go
back, and the order waits, without them, for what the provider says when it is voided (`money.py`). So an order whose
turn came late, or whose answer could not be written, is not cancelled for it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from db.orders import holds, money, reservations, transitions
from db.orders.reservations import BEGINNING
from db.orders.transitions import PaidOrder
from db.work import shifts
from doorbuster import tracing
from workers.payments.answers import Answers, ProviderAnswer
from workers.payments.apply import LOOK_AGAIN_S, apply
from workers.payments.breaker import Breaker
from workers.payments.gateway import (
    GATEWAY_FAILED,
    GatewayError,
    PaymentRefusedError,
    PaymentRequest,
    ProviderPayment,
    ProviderStatus,
    RateLimitedError,
    answered_at_once,
)
from workers.payments.pace import PaymentPace
from workers.payments.reconcile import DECLINED, Hold, MoneyStep, decide_held
from workers.payments.traces import SettleTraces
from workers.publish.availability import Units
from workers.publish.order_changes import publish

if TYPE_CHECKING:
    from uuid import UUID

    from db.orders.money import OrderMoney
    from db.orders.reservations import Reservation, SaleTerms
    from db.work.due_work import Partition
    from workers.payments.gateway import Gateway
    from workers.runtime.shift import Shift

BATCH = 1_000
UNWRITTEN_MAX = 2 * BATCH
"""Answers that wait to be written; with more no payment is asked for, so that a slow database bounds what is kept."""
POLL_S = 0.05
"""How long a new reservation may wait before its payment is tried."""
TERMS_S = 1.0
"""How old the sale's terms may be."""
NEXT_S = 1.0
"""How old a page may be of which payments are begun as others are answered."""

_AT_ONCE, _AT_SHIPPING = Hold(at_shipping=False), Hold(at_shipping=True)

log = logging.getLogger("doorbuster.workers.settle")


@dataclass(slots=True)
class _Page:
    """Due payments for which there was no room yet, as they were read."""

    rows: deque[Reservation] = field(default_factory=deque)
    terms: SaleTerms | None = None
    known: dict[UUID, OrderMoney] = field(default_factory=dict)
    """Of those that were asked for before."""
    read_at: float = float("-inf")

    @property
    def is_fresh(self) -> bool:
        """Whether its payments may be begun still."""
        return time.monotonic() - self.read_at < NEXT_S

    def is_enough(self, most: int) -> bool:
        """Say whether the next page may be read later."""
        return self.is_fresh and len(self.rows) > most // 2


class Settle:
    """Settles one partition; see `shift.Work`."""

    full = BATCH
    paced = True

    def __init__(self, shift: Shift, partition: Partition, gateway: Gateway) -> None:
        self._shift = shift
        self._partition = partition
        self._gateway = gateway
        self._units = Units(shift.settings)
        self._after = BEGINNING
        self._answers = Answers()
        self._in_flight: dict[UUID, asyncio.Task[None]] = {}
        self._next = _Page()
        self._breaker = Breaker(shift.settings.settle_concurrency)
        self._pace = PaymentPace(shift.settings.settle_concurrency)
        self._terms: SaleTerms | None = None
        self._terms_at = -TERMS_S
        self._defect: BaseException | None = None
        self._traces = SettleTraces(shift.orders, partition)

    @property
    def is_busy(self) -> bool:
        """Whether payments are in flight, or wait for the provider: it leaves the shift work to do."""
        return bool(self._in_flight) or self._breaker.paused_s > 0

    async def begin(self) -> None:
        """Read the work anew. What is in flight goes on, and what was answered is still to be written."""
        self._after, self._next = BEGINNING, _Page()
        why, paused_s = await shifts.payments_paused(await self._shift.connection(), self._shift.name)
        self._breaker.go_on(why, paused_s)

    async def step(self) -> int:
        """Ask for the payments that are due, write the answers that are there."""
        if self._defect is not None:
            raise self._defect
        read = await self._ask_due()
        written = await self._write()
        if not read and not written:
            self._after = BEGINNING  # whatever was passed over, for whatever reason, is seen again
            await self._wait()
        await self._say_pace()
        return written

    async def end(self, *, immediately: bool) -> None:
        """Wait for the payments in flight and write their answers; at once: leave them to the successor."""
        self._next = _Page()
        if not immediately and self._in_flight:
            await asyncio.wait(self._in_flight.values())
        while not immediately and await self._write():
            continue
        await self._give_up()
        await self._units.close()
        await self._gateway.close()

    async def _ask_due(self) -> int:
        """Ask for one page of due payments, as many as have room; return how many were new."""
        limit = self._breaker.limit
        is_full = 0 < limit <= len(self._in_flight)
        if len(self._answers) >= UNWRITTEN_MAX or (is_full and self._next.is_enough(self._shift.size.now)):
            return 0
        connection = await self._shift.connection()
        page = await reservations.due(connection, *self._partition, after=self._after, limit=self._shift.size.now)
        new = [row for row in page if row.order_id not in self._in_flight and row.order_id not in self._answers]
        terms = await self._known_terms()
        asked = [row.order_id for row in new if row.attempts]
        known = await money.money_of(connection, asked) if asked else {}
        if terms.card_limited and new:
            unknown = await reservations.naming_no_card(connection, [row.order_id for row in new])
            new = [row._replace(card_unknown=row.order_id in unknown) for row in new]
        if tracing.ON and new:
            await self._traces.asked([row.order_id for row in new])
        self._next = _Page(deque(new), terms, known, time.monotonic())
        begun = self._begin_next()
        seen = len(new) - len(self._next.rows)
        passed = new[seen - 1] if 0 < seen < len(new) else page[-1] if page and seen == len(new) else None
        if passed is not None:
            self._after = reservations.ReservationCursor(passed.due_at, passed.order_id)
        return begun

    def _begin_next(self) -> int:
        """Have orders of the page paid for which there is room; return how many.

        Also called with each answer, so that a place is not empty until the next step.
        """
        begun, page = 0, self._next
        while page.rows and page.terms is not None and len(self._answers) < UNWRITTEN_MAX:
            row = page.rows[0]
            # While the page was read, others of the page before were begun.
            if row.order_id not in self._in_flight and row.order_id not in self._answers:
                if not self._begin(row, page.terms, page.known.get(row.order_id)):
                    break
                begun += 1
            page.rows.popleft()
        return begun

    def _begin(self, row: Reservation, terms: SaleTerms, order: OrderMoney | None) -> bool:
        """Have one order paid, or let it go where nobody can be asked; False: there is no room now."""
        if not row.total or (terms.mode == "none" and not row.attempts):
            self._answers.add(self._answers.free, row.order_id)
            return True
        limit = self._breaker.limit
        if not limit and row.expired and self._breaker.why == "down":
            self._answers.add(self._answers.ended, row.order_id)
            return True
        if limit <= len(self._in_flight):
            return False
        at_shipping = terms.mode == "authorise" if order is None else order.at_shipping
        # Where cards are limited, money is taken only once the provider has named the card and it is counted.
        capture = not at_shipping and not row.card_unknown
        payment = PaymentRequest(
            row.order_id, row.total, row.currency, row.payment_token, row.attempts, capture=capture
        )
        if order is not None:
            payment = payment._replace(reference=order.reference, since=order.accepted_at)
        elif self._gateway.answers_at_once(payment):
            self._answer_at_once(row, payment)
            return True
        task = asyncio.create_task(self._await(row, payment))
        task.add_done_callback(self._note_defect)
        self._in_flight[row.order_id] = task
        return True

    def _answer_at_once(self, row: Reservation, payment: PaymentRequest) -> None:
        try:
            answer = answered_at_once(self._gateway.authorise(payment))
        except GatewayError as error:
            self._sort_failure(row, error)
        else:
            self._pace.took(0.0)
            self._breaker.answered()
            self._sort(row, payment, answer)

    async def _await(self, row: Reservation, payment: PaymentRequest) -> None:
        began = time.monotonic()
        try:
            answer = await self._asked(payment)
        except GATEWAY_FAILED as error:
            self._sort_failure(row, error)
        else:
            self._breaker.answered()
            self._sort(row, payment, answer)
        finally:
            # In the same turn of the loop: a page read meanwhile must not ask for it again.
            del self._in_flight[payment.order_id]
        self._pace.took(time.monotonic() - began)
        if self._next.is_fresh:
            self._begin_next()

    async def _asked(self, payment: PaymentRequest) -> ProviderPayment:
        """Ask for a payment; one that was asked for before is looked up first, and never repeated blindly."""
        timeout_s = self._shift.settings.payment_timeout_s
        if payment.attempts:
            async with asyncio.timeout(timeout_s):
                found = await self._gateway.look_up(payment)
            if found.status is not ProviderStatus.NOTHING:
                return found
        async with asyncio.timeout(timeout_s):
            return await self._gateway.authorise(payment)

    def _sort(self, row: Reservation, payment: PaymentRequest, provider: ProviderPayment) -> None:
        """Put an answer to its like; what is not plain is decided with the order's row at hand."""
        answers, terms = self._answers, self._terms
        if payment.attempts:
            if provider.status is ProviderStatus.REQUIRES_ACTION and row.extended and not row.expired:
                answers.add(answers.waiting, row.order_id)
                return
        else:
            hold = _AT_SHIPPING if terms is not None and terms.mode == "authorise" else _AT_ONCE
            must_count = provider.card is not None and row.card_unknown
            if not must_count and decide_held(hold, provider).step is MoneyStep.CONFIRM:
                answers.add_answer(answers.paid, ProviderAnswer(row.order_id, provider))
                return
            if provider.status is ProviderStatus.DECLINED:
                answers.add(answers.declined, row.order_id)
                return
        answers.add_answer(answers.others, ProviderAnswer(row.order_id, provider))

    def _sort_failure(self, row: Reservation, error: Exception) -> None:
        extra = {"order_id": str(row.order_id), "attempt": row.attempts + 1, "error": error}
        if isinstance(error, RateLimitedError):
            log.info("the gateway takes no more for now", extra=extra | {"retry_after_s": error.retry_after_s})
            self._breaker.limited(error.retry_after_s)
            return
        if isinstance(error, PaymentRefusedError):
            log.warning("the gateway refuses a payment for good", extra=extra)
            self._breaker.answered()
            self._answers.add(self._answers.declined, row.order_id)
            return
        log.info("no answer from the gateway", extra=extra)
        self._breaker.failed()
        self._answers.add(self._answers.ended if row.expired else self._answers.unknown, row.order_id)

    async def _write(self) -> int:
        """Write a batch of the answers, then tell; return how many there were.

        A transaction for each kind: one that cancelled twice would take locks against their order (docs/locking.md).
        Until all of them are committed the answers stay: written again they change nothing.
        """
        answers = self._answers.first(self._shift.size.now)
        if not len(answers):
            return 0
        began_ns = time.time_ns()
        confirmed = await self._confirm(answers)
        declined = await self._cancel(answers.declined)
        released = await self._release(answers.ended)
        strays = [answer for answer in answers.paid if answer.order_id not in confirmed]
        void_after_s = self._shift.settings.payment_timeout_s
        applied = await apply(self._shift, [*strays, *answers.others], void_after_s=void_after_s)
        await publish(self._shift.orders, applied.changed)
        self._answers.drop(answers)
        if tracing.ON:
            outcomes = dict.fromkeys(confirmed, "confirmed") | dict.fromkeys(declined, "cancelled") | applied.outcomes
            await self._traces.written(outcomes, began_ns, left=released)
        await self._units.tell_of(await self._shift.connection(), [*declined, *released, *applied.moved_units])
        return len(answers)

    async def _confirm(self, answers: Answers) -> set[UUID]:
        """Confirm what was paid or costs nothing, put off what is to be looked up; return those confirmed."""
        if not (answers.free or answers.paid or answers.unknown or answers.waiting):
            return set()
        async with self._shift.leased_transaction() as connection:
            confirmed = await transitions.confirm_paid(connection, [_paid(answer) for answer in answers.paid])
            if answers.free:
                confirmed += await transitions.confirm_many(connection, answers.free)
            if answers.unknown:
                await reservations.postpone(connection, answers.unknown, seconds=self._shift.settings.payment_retry_s)
            if answers.waiting:
                await holds.ask_later(connection, answers.waiting, seconds=LOOK_AGAIN_S)
        await publish(self._shift.orders, confirmed)
        return set(confirmed)

    async def _cancel(self, order_ids: list[UUID]) -> list[UUID]:
        if not order_ids:
            return []
        served: list[UUID] = []
        async with self._shift.leased_transaction() as connection:
            cancelled = await transitions.cancel_many(
                connection, order_ids, reason=DECLINED, payment="failed", served=served
            )
        await publish(self._shift.orders, [*cancelled, *served])
        return cancelled

    async def _release(self, order_ids: list[UUID]) -> list[UUID]:
        if not order_ids:
            return []
        void_after_s = self._shift.settings.payment_timeout_s
        served: list[UUID] = []
        async with self._shift.leased_transaction() as connection:
            released = await transitions.release_many(connection, order_ids, void_after_s=void_after_s, served=served)
        await publish(self._shift.orders, served)
        return released

    async def _known_terms(self) -> SaleTerms:
        """Return how the sale takes money, as of a moment ago."""
        if self._terms is None or time.monotonic() - self._terms_at > TERMS_S:
            self._terms = await reservations.terms(await self._shift.connection(), self._partition.sale_number)
            self._terms_at = time.monotonic()
        return self._terms

    async def _wait(self) -> None:
        """Wait a moment for an answer or for new work."""
        if self._in_flight:
            await asyncio.wait(self._in_flight.values(), timeout=POLL_S, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(POLL_S)

    async def _say_pace(self) -> None:
        """Write down now and then how many payments a second the gateway takes, and whether it is left alone."""
        if self._pace.is_time():
            await shifts.note_payments(
                await self._shift.connection(), self._shift.name, self._shift.fence,
                payments_per_s=self._pace.per_s(self._breaker.limit),
                paused=(self._breaker.why, self._breaker.paused_s),
            )  # fmt: skip

    def _note_defect(self, task: asyncio.Task[None]) -> None:
        """Keep what a gateway raised that it must not: the shift ends with it, and says so."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._defect = error

    async def _give_up(self) -> None:
        tasks = list(self._in_flight.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._in_flight.clear()


def _paid(answer: ProviderAnswer) -> PaidOrder:
    provider = answer.provider
    held = provider.authorised if provider.status is ProviderStatus.AUTHORISED else None
    captured = provider.captured or None
    return PaidOrder(answer.order_id, str(provider.status), held, captured, provider.reference)
