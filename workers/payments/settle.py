"""The settle shift: has payments of reserved orders authorised, many at once, and confirms or cancels them in batches.

Owns which payments are in flight and which answers are not written yet; the gateway answers, `db.orders.transitions`
moves orders. Never holds a transaction open while a gateway is asked, nor forgets an answer because a store failed.
An authorisation whose order was cancelled meanwhile is voided.

A hold that ends does not cancel an order by itself: its payment is asked for once more, and only no answer then does.
So an order whose turn came late, or whose answer could not be written, is not cancelled for it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, cast

from db.orders import reservations, transitions
from db.orders.reservations import BEGINNING
from db.work import shifts
from workers.payments.gateway import GATEWAY_FAILED, GatewayError, PaymentRequest, ProviderPayment, ProviderStatus
from workers.payments.pace import PaymentPace
from workers.payments.voiding import void_all
from workers.publish.availability import Units
from workers.publish.order_changes import publish

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from db.orders.reservations import Reservation
    from db.work.due_work import Partition
    from workers.payments.gateway import Gateway
    from workers.runtime.shift import Shift

BATCH = 1_000
UNWRITTEN_MAX = 2 * BATCH
"""Answers that wait to be written; with more no payment is asked for, so that a slow database bounds what is kept."""
POLL_S = 0.05
"""How long a new reservation may wait before its payment is tried."""

DECLINED = "payment_declined"
EXPIRED = "hold_expired"

log = logging.getLogger("doorbuster.workers.settle")


@dataclass(slots=True)
class Answers:
    """What is to be written, by order id; a batch of it at a time."""

    approved: list[UUID] = field(default_factory=list)
    declined: list[UUID] = field(default_factory=list)
    unknown: list[UUID] = field(default_factory=list)
    """Timed out or failed: to be asked again."""
    expired: list[UUID] = field(default_factory=list)
    """The same after their hold had ended: asked for the last time."""

    def __len__(self) -> int:
        return len(self.approved) + len(self.declined) + len(self.unknown) + len(self.expired)

    def first(self, most: int) -> Answers:
        """Return the first of each kind, at most so many."""
        return Answers(self.approved[:most], self.declined[:most], self.unknown[:most], self.expired[:most])

    def drop(self, written: Answers) -> None:
        """Forget what was written, which came first."""
        del self.approved[: len(written.approved)]
        del self.declined[: len(written.declined)]
        del self.unknown[: len(written.unknown)]
        del self.expired[: len(written.expired)]

    def ids(self) -> Iterator[UUID]:
        """Return all orders."""
        return chain(self.approved, self.declined, self.unknown, self.expired)


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
        self._answered: set[UUID] = set()
        """Answered, not written yet: not to be asked again meanwhile."""
        self._pace = PaymentPace(shift.settings.settle_concurrency)

    @property
    def is_busy(self) -> bool:
        """Whether payments are: a gateway that takes its time leaves the shift work to do."""
        return bool(self._in_flight)

    async def begin(self) -> None:
        """Read the work anew. What is in flight goes on, and what was answered is still to be written."""
        self._after = BEGINNING

    async def step(self) -> int:
        """Ask for the payments that are due, write the answers that are there."""
        read = await self._ask_due()
        written = await self._write()
        if not read and not written:
            self._after = BEGINNING  # whatever was passed over, for whatever reason, is seen again
            await self._wait()
        await self._say_pace()
        return written

    async def end(self, *, immediately: bool) -> None:
        """Wait for the payments in flight and write their answers; at once: leave them to the successor."""
        if not immediately and self._in_flight:
            await asyncio.wait(self._in_flight.values())
        while not immediately and await self._write():
            continue
        await self._give_up()
        await self._units.close()
        await self._gateway.close()

    async def _ask_due(self) -> int:
        """Ask for one page of due payments, as many as have room; return how many were new."""
        room = self._shift.settings.settle_concurrency - len(self._in_flight)
        if room <= 0 or len(self._answers) >= UNWRITTEN_MAX:
            return 0
        page = await reservations.due(
            await self._shift.connection(), *self._partition, after=self._after, limit=self._shift.size.now
        )
        new, last = 0, None
        for row in page:
            if row.order_id not in self._in_flight and row.order_id not in self._answered:
                if len(self._in_flight) >= self._shift.settings.settle_concurrency:
                    break
                self._ask(row)
                new += 1
            last = row
        if last is not None:
            self._after = reservations.ReservationCursor(last.due_at, last.order_id)
        return new

    def _ask(self, row: Reservation) -> None:
        payment = PaymentRequest(row.order_id, row.total, row.currency, row.payment_token, row.attempts)
        if not self._gateway.answers_at_once(payment):
            self._in_flight[row.order_id] = asyncio.create_task(self._await(row, payment))
            return
        try:
            answer = answered_at_once(self._gateway.authorise(payment))
        except GatewayError as error:
            self._sort_failure(row, error)
        else:
            self._pace.took(0.0)
            self._sort(payment, answer)

    async def _await(self, row: Reservation, payment: PaymentRequest) -> None:
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._shift.settings.payment_timeout_s):
                answer = await self._gateway.authorise(payment)
        except GATEWAY_FAILED as error:
            self._sort_failure(row, error)
        else:
            self._sort(payment, answer)
        self._pace.took(time.monotonic() - began)
        # In the same turn of the loop: a page read meanwhile must not ask for it again.
        del self._in_flight[payment.order_id]

    def _sort(self, payment: PaymentRequest, answer: ProviderPayment) -> None:
        declined = answer.status is ProviderStatus.DECLINED
        (self._answers.declined if declined else self._answers.approved).append(payment.order_id)
        self._answered.add(payment.order_id)

    def _sort_failure(self, row: Reservation, error: Exception) -> None:
        extra = {"order_id": str(row.order_id), "attempt": row.attempts + 1, "error": repr(error)}
        log.info("no answer from the gateway", extra=extra)
        (self._answers.expired if row.expired else self._answers.unknown).append(row.order_id)
        self._answered.add(row.order_id)

    async def _write(self) -> int:
        """Write a batch of the answers, then tell; return how many there were.

        A transaction for each kind: one that cancelled twice would take locks against their order (docs/locking.md).
        Until all of them are committed the answers stay: written again they change nothing.
        """
        answers = self._answers.first(self._shift.size.now)
        if not len(answers):
            return 0
        kept = await self._confirm(answers)
        declined = await self._cancel(answers.declined, DECLINED)
        expired = await self._cancel(answers.expired, EXPIRED)
        self._answers.drop(answers)
        self._answered.difference_update(answers.ids())
        if len(kept) < len(answers.approved) + len(answers.unknown):
            await self._void_cancelled([one for one in (*answers.approved, *answers.unknown) if one not in kept])
        await void_all(self._gateway, expired, timeout_s=self._shift.settings.payment_timeout_s)
        await self._units.tell_of(await self._shift.connection(), [*declined, *expired])
        return len(answers)

    async def _confirm(self, answers: Answers) -> set[UUID]:
        """Confirm what was approved, put off what is to be asked again; return those still held."""
        if not answers.approved and not answers.unknown:
            return set()
        async with self._shift.leased_transaction() as connection:
            confirmed = await transitions.confirm_many(connection, answers.approved)
            retried = await reservations.postpone(
                connection, answers.unknown, seconds=self._shift.settings.payment_retry_s
            )
        await publish(self._shift.orders, confirmed)
        return {*confirmed, *retried}

    async def _cancel(self, order_ids: Sequence[UUID], reason: str) -> list[UUID]:
        if not order_ids:
            return []
        async with self._shift.leased_transaction() as connection:
            cancelled = await transitions.cancel_many(connection, order_ids, reason=reason)
        await publish(self._shift.orders, cancelled)
        return cancelled

    async def _void_cancelled(self, order_ids: Sequence[UUID]) -> None:
        """Let go the money of orders that were cancelled while the gateway was asked."""
        cancelled = await transitions.cancelled_of(await self._shift.connection(), order_ids)
        await void_all(self._gateway, cancelled, timeout_s=self._shift.settings.payment_timeout_s)

    async def _wait(self) -> None:
        """Wait a moment for an answer or for new work."""
        if self._in_flight:
            await asyncio.wait(self._in_flight.values(), timeout=POLL_S, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(POLL_S)

    async def _say_pace(self) -> None:
        """Write down now and then how many payments a second the gateway takes."""
        if self._pace.is_time():
            await shifts.note_payments(
                await self._shift.connection(), self._shift.name, self._shift.fence, payments_per_s=self._pace.per_s
            )

    async def _give_up(self) -> None:
        tasks = list(self._in_flight.values())
        self._in_flight.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def answered_at_once(asked: Coroutine[Any, Any, ProviderPayment]) -> ProviderPayment:
    """Drive a call that waits for nothing, without the cost of a task.

    Raises:
        GatewayError: it failed.
        TypeError: it waits, although its gateway said that it does not.
    """
    try:
        asked.send(None)
    except StopIteration as answer:
        return cast("ProviderPayment", answer.value)
    asked.close()
    raise TypeError("a gateway that answers at once waited for something")
