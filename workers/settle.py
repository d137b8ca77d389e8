"""The settle shift: has payments of reserved orders authorised, many at once, and confirms or cancels them in batches.

Owns which payments are in flight; the gateway answers, `db.transitions` moves orders. Never holds a transaction open
while a gateway is asked. An authorisation whose order was cancelled meanwhile is voided.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from db import orders, reservations, transitions
from db.reservations import BEGINNING
from db.states import Status
from workers.outcomes import publish
from workers.payments import Answer, GatewayError, Payment, void_all
from workers.units import Units

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from db.reservations import Reservation
    from workers.batch import Partition
    from workers.payments import Gateway
    from workers.shift import Shift

BATCH = 1_000
POLL_S = 0.05
"""How long a new reservation may wait before its payment is tried."""

DECLINED = "payment_declined"
EXPIRED = "hold_expired"

log = logging.getLogger("doorbuster.workers.settle")


@dataclass(slots=True)
class Answers:
    """What is to be written next, by order id."""

    approved: list[UUID] = field(default_factory=list)
    declined: list[UUID] = field(default_factory=list)
    unknown: list[UUID] = field(default_factory=list)
    """Timed out or failed: to be asked again."""
    expired: list[UUID] = field(default_factory=list)
    """Their hold ended before an answer came."""

    def __len__(self) -> int:
        return len(self.approved) + len(self.declined) + len(self.unknown) + len(self.expired)


class Settle:
    """Settles one partition; see `shift.Work`."""

    paced = BATCH

    def __init__(self, shift: Shift, partition: Partition, gateway: Gateway) -> None:
        self._shift = shift
        self._partition = partition
        self._gateway = gateway
        self._units = Units(shift.settings)
        self._after = BEGINNING
        self._answers = Answers()
        self._in_flight: dict[UUID, asyncio.Task[None]] = {}
        self._late: set[UUID] = set()
        """Answered after having been in flight, not written yet."""

    @property
    def under_way(self) -> bool:
        """Whether payments are: a gateway that takes its time leaves the shift work to do."""
        return bool(self._in_flight)

    async def begin(self) -> None:
        """Forget what was asked and read the work anew: asking again gives the same answers."""
        await self._give_up()
        self._after = BEGINNING
        self._answers = Answers()
        self._late.clear()

    async def step(self) -> int:
        """Ask for the payments that are due, write the answers that are there."""
        read = await self._ask_due()
        written = await self._write()
        if not read and not written:
            self._after = BEGINNING  # whatever was passed over, for whatever reason, is seen again
            await self._wait()
        return written

    async def end(self, *, at_once: bool) -> None:
        """Wait for the payments in flight and write their answers; at once: leave them to the successor."""
        if not at_once and self._in_flight:
            await asyncio.wait(self._in_flight.values())
        if not at_once:
            await self._write()
        await self._give_up()
        await self._units.close()

    async def _ask_due(self) -> int:
        """Ask for one page of due payments, as many as have room; return how many were new."""
        room = self._shift.settings.settle_concurrency - len(self._in_flight)
        if room <= 0:
            return 0
        page = await reservations.due(await self._shift.connection(), *self._partition, after=self._after, limit=BATCH)
        new, last = 0, None
        for row in page:
            if row.order_id not in self._in_flight and row.order_id not in self._late:
                if len(self._in_flight) >= self._shift.settings.settle_concurrency:
                    break
                self._ask(row)
                new += 1
            last = row
        if last is not None:
            self._after = reservations.Place(last.due_at, last.order_id)
        return new

    def _ask(self, row: Reservation) -> None:
        if row.expired:
            self._answers.expired.append(row.order_id)
            return
        payment = Payment(row.order_id, row.total, row.currency, row.payment_token, row.attempts)
        try:
            answer = self._gateway.authorise(payment)
        except GatewayError as error:
            self._sort_failure(payment, error)
            return
        if isinstance(answer, Answer):
            self._sort(payment, answer)
        else:
            self._in_flight[row.order_id] = asyncio.create_task(self._await(payment, answer))

    async def _await(self, payment: Payment, pending: Awaitable[Answer]) -> None:
        try:
            async with asyncio.timeout(self._shift.settings.payment_timeout_s):
                answer = await pending
        except (GatewayError, TimeoutError, OSError) as error:
            self._sort_failure(payment, error)
        else:
            self._sort(payment, answer)
        # In the same turn of the loop: a page read meanwhile must not ask for it again.
        self._late.add(payment.order_id)
        del self._in_flight[payment.order_id]

    def _sort(self, payment: Payment, answer: Answer) -> None:
        (self._answers.approved if answer is Answer.APPROVED else self._answers.declined).append(payment.order_id)

    def _sort_failure(self, payment: Payment, error: Exception) -> None:
        extra = {"order_id": str(payment.order_id), "attempt": payment.attempts + 1, "error": repr(error)}
        log.info("no answer from the gateway", extra=extra)
        self._answers.unknown.append(payment.order_id)

    async def _write(self) -> int:
        """Write the answers, then tell; return how many there were.

        A transaction for each kind: one that cancelled twice would take locks against their order (docs/locking.md).
        """
        answers, self._answers = self._answers, Answers()
        self._late.clear()
        if not len(answers):
            return 0
        kept = await self._confirm(answers)
        declined = await self._cancel(answers.declined, DECLINED)
        expired = await self._cancel(answers.expired, EXPIRED)
        if len(kept) < len(answers.approved) + len(answers.unknown):
            await self._void_cancelled([one for one in (*answers.approved, *answers.unknown) if one not in kept])
        await void_all(self._gateway, expired, timeout_s=self._shift.settings.payment_timeout_s)
        await self._units.tell_of(await self._shift.connection(), [*declined, *expired])
        return len(answers)

    async def _confirm(self, answers: Answers) -> set[UUID]:
        """Confirm what was approved, put off what is to be asked again; return those still held."""
        if not answers.approved and not answers.unknown:
            return set()
        async with self._shift.holding() as connection:
            confirmed = await transitions.confirm_many(connection, answers.approved)
            retried = await reservations.postpone(
                connection, answers.unknown, seconds=self._shift.settings.payment_retry_s
            )
        await publish(self._shift.orders, confirmed)
        return {*confirmed, *retried}

    async def _cancel(self, order_ids: Sequence[UUID], reason: str) -> list[UUID]:
        if not order_ids:
            return []
        async with self._shift.holding() as connection:
            cancelled = await transitions.cancel_many(connection, order_ids, reason=reason)
        await publish(self._shift.orders, cancelled)
        return cancelled

    async def _void_cancelled(self, order_ids: Sequence[UUID]) -> None:
        """Let go the money of orders that were cancelled while the gateway was asked."""
        connection = await self._shift.connection()
        found = [await orders.read_order(connection, order_id) for order_id in order_ids]
        cancelled = [one.order_id for one in found if one is not None and one.status == Status.CANCELLED]
        await void_all(self._gateway, cancelled, timeout_s=self._shift.settings.payment_timeout_s)

    async def _wait(self) -> None:
        """Wait a moment for an answer or for new work."""
        if self._in_flight:
            await asyncio.wait(self._in_flight.values(), timeout=POLL_S, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(POLL_S)

    async def _give_up(self) -> None:
        tasks = list(self._in_flight.values())
        self._in_flight.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
