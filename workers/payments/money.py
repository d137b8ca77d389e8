"""The money shift: does at the payment provider what others queued, many at once, until it is done or refused for good.

Owns which operations are in flight and which answers are not written yet; `db.orders.money` has the queue,
`reconcile.py` decides what an answer comes to. Dies between the provider and the commit without harm: the operation is
asked for again under the same key. Never has two operations of one order under way.

A void of an order that waits to be told whether it was paid is decided in a transaction that proves the lease, and then
sent. However late it arrives, and whoever has taken over: nobody relies on what it lets go (docs/payments.md).
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from typing import TYPE_CHECKING, NamedTuple

from db.orders import money
from db.orders.money import BEGINNING, OperationCursor, OperationKind, OrderMoney, PaymentOperation
from db.orders.states import Status
from db.work import shifts
from doorbuster import tracing
from workers.payments.answers import ProviderAnswer
from workers.payments.apply import apply
from workers.payments.breaker import Breaker
from workers.payments.gateway import (
    GATEWAY_FAILED,
    OutcomeUnknownError,
    PaymentRefusedError,
    PaymentRequest,
    ProviderPayment,
    ProviderStatus,
    RateLimitedError,
)
from workers.payments.pace import PaymentPace
from workers.payments.traces import settled_late
from workers.publish.availability import Units
from workers.publish.order_changes import publish

if TYPE_CHECKING:
    from uuid import UUID

    from workers.payments.gateway import Gateway
    from workers.runtime.shift import Shift

BATCH = 200
CONCURRENCY = 100
"""Of the operations under way at once; `SETTLE_CONCURRENCY` bounds it too."""
POLL_S = 0.05
LATEST_S = 600.0
"""The longest pause before an operation is tried again."""
DETAIL_MAX = 500

log = logging.getLogger("doorbuster.workers.money")


class Failure(NamedTuple):
    """An operation that was not done."""

    operation: PaymentOperation
    detail: str
    for_good: bool


class Money:
    """Works the queue off; see `shift.Work`."""

    full = BATCH
    paced = False

    def __init__(self, shift: Shift, gateway: Gateway) -> None:
        self._shift = shift
        self._gateway = gateway
        self._units = Units(shift.settings)
        self._after = BEGINNING
        self._in_flight: dict[UUID, asyncio.Task[None]] = {}
        """By order."""
        self._answers: list[ProviderAnswer] = []
        self._failures: list[Failure] = []
        self._letting_go: list[tuple[PaymentOperation, OrderMoney]] = []
        """Voids that are to be sent once that is written down."""
        most = min(CONCURRENCY, shift.settings.settle_concurrency)
        self._breaker = Breaker(most)
        self._pace = PaymentPace(most)
        self._defect: BaseException | None = None
        self._stepped = time.monotonic()
        """When a step began: just after the lease was proved."""

    @property
    def is_busy(self) -> bool:
        """Whether operations are under way, or wait for the provider."""
        return bool(self._in_flight or self._letting_go) or self._breaker.paused_s > 0

    async def begin(self) -> None:
        """Read the queue anew. What is in flight goes on, and what was answered is still to be written."""
        self._after, self._letting_go = BEGINNING, []
        why, paused_s = await shifts.payments_paused(await self._shift.connection(), self._shift.name)
        self._breaker.go_on(why, paused_s)

    async def step(self) -> int | None:
        """Begin what is due, write what was answered; None when nothing is left."""
        if self._defect is not None:
            raise self._defect
        self._stepped = time.monotonic()
        begun = await self._let_go() + await self._begin_due()
        written = await self._write()
        if begun or written:
            return written
        if self._pace.is_time():
            await shifts.note_payments(
                await self._shift.connection(), self._shift.name, self._shift.fence,
                payments_per_s=self._pace.per_s(self._breaker.limit),
                paused=(self._breaker.why, self._breaker.paused_s),
            )  # fmt: skip
        if not self.is_busy and self._after == BEGINNING:
            return None
        self._after = BEGINNING
        if self._in_flight:
            await asyncio.wait(self._in_flight.values(), timeout=POLL_S, return_when=asyncio.FIRST_COMPLETED)
        elif self._breaker.paused_s:
            await asyncio.sleep(POLL_S)
        return 0

    async def end(self, *, immediately: bool) -> None:
        """Wait for what is under way and write its answers; at once: leave it to the successor."""
        if not immediately and self._in_flight:
            await asyncio.wait(self._in_flight.values())
        while not immediately and await self._write():
            continue
        tasks = list(self._in_flight.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._units.close()
        await self._gateway.close()

    async def _begin_due(self) -> int:
        room = self._breaker.limit - len(self._in_flight)
        if room <= 0 or len(self._answers) + len(self._failures) + len(self._letting_go) >= BATCH:
            return 0
        connection = await self._shift.connection()
        page = await money.due_operations(connection, after=self._after, limit=self._shift.size.now)
        busy = self._busy_orders()
        new: dict[UUID, PaymentOperation] = {}
        last: PaymentOperation | None = None
        for operation in page:
            if operation.order_id not in busy:
                if len(new) >= room and operation.order_id not in new:
                    break
                new.setdefault(operation.order_id, operation)
            last = operation
        found = await money.money_of(connection, new) if new else {}
        for order_id, operation in new.items():
            self._begin(operation, found.get(order_id))
        if last is not None:
            self._after = OperationCursor(last.due_at, last.operation_id)
        return len(new)

    def _begin(self, operation: PaymentOperation, order: OrderMoney | None) -> None:
        task = asyncio.create_task(self._await(operation, order))
        task.add_done_callback(self._note_defect)
        self._in_flight[operation.order_id] = task

    async def _let_go(self) -> int:
        """Decide the voids that wait for it, then send them; return how many.

        Raises:
            LeaseLostError: another shift is at it; nothing is sent.
        """
        waiting, self._letting_go = self._letting_go, []
        if not waiting:
            return 0
        async with self._shift.leased_transaction() as connection:
            decided = await money.decide_voids(connection, [operation for operation, _ in waiting])
        for operation, order in waiting:
            if operation.operation_id in decided:
                self._begin(operation, order._replace(letting_go=True))
        return len(waiting)

    def _busy_orders(self) -> set[UUID]:
        """Return the orders that have an operation in flight, or one whose end is not written yet."""
        return {
            *self._in_flight,
            *(operation.order_id for operation, _ in self._letting_go),
            *(answer.order_id for answer in self._answers),
            *(failure.operation.order_id for failure in self._failures),
        }

    async def _await(self, operation: PaymentOperation, order: OrderMoney | None) -> None:
        began = time.monotonic()
        try:
            if order is None:
                self._failures.append(Failure(operation, "there is no such order", for_good=True))
                return
            provider = await self._done(operation, order)
        except RateLimitedError as error:
            self._breaker.limited(error.retry_after_s)
        except PaymentRefusedError as error:
            self._breaker.answered()
            self._failures.append(Failure(operation, str(error) or "refused", for_good=True))
        except GATEWAY_FAILED as error:
            self._breaker.failed()
            self._failures.append(Failure(operation, str(error) or type(error).__name__, for_good=False))
        else:
            self._breaker.answered()
            if provider is None:
                self._letting_go.append((operation, order))
            else:
                self._answers.append(ProviderAnswer(operation.order_id, provider, operation))
        finally:
            del self._in_flight[operation.order_id]
        self._pace.took(time.monotonic() - began)

    async def _done(self, operation: PaymentOperation, order: OrderMoney) -> ProviderPayment | None:
        """Do one operation; return what the provider has after it. None: it is a void that is to be decided before."""
        payment = _request(order)
        async with asyncio.timeout(self._shift.settings.payment_timeout_s):
            # An order that was refunded before its money was taken needs none any more.
            if operation.kind == "look_up" or (operation.kind == "capture" and order.status == Status.REFUNDED):
                return await self._gateway.look_up(payment)
            if operation.kind == "void":
                return await self._void(operation, order, payment)
            amount = operation.amount
            assert amount is not None
            if operation.attempts:
                # It may have been done, so long ago that the provider does not know its key any more.
                found = await self._gateway.look_up(payment)
                if _has(found, operation.kind) >= operation.done_before + amount:
                    return found
            if operation.kind == "refund":
                return await self._gateway.refund(payment, amount, key=operation.key)
            final = not order.at_shipping or (order.open_units == 0 and order.capturing <= amount)
            return await self._gateway.capture(payment, amount, key=operation.key, final=final)

    async def _void(
        self, operation: PaymentOperation, order: OrderMoney, payment: PaymentRequest
    ) -> ProviderPayment | None:
        """Let money go; an order that waits for it, without its units, is served instead if it was paid after all."""
        if order.status == Status.PENDING and not order.letting_go:
            found = await self._gateway.look_up(payment)
            if found.status in (ProviderStatus.AUTHORISED, ProviderStatus.CAPTURED):
                return found
            if time.monotonic() - self._stepped > self._shift.settings.lease_s / 2:
                # The process stood still: a successor may have found it paid meanwhile, and confirmed it.
                raise OutcomeUnknownError("what was looked up is too old to let the money go by")
            return None
        return await self._gateway.void(payment, key=operation.key)

    async def _write(self) -> int:
        answers, failures = self._answers[: self._shift.size.now], self._failures[: self._shift.size.now]
        if not answers and not failures:
            return 0
        began_ns, void_after_s = time.time_ns(), self._shift.settings.payment_timeout_s
        applied = await apply(self._shift, answers, void_after_s=void_after_s)
        if tracing.ON and applied.outcomes:
            await settled_late(self._shift.orders, applied.outcomes, began_ns)
        del self._answers[: len(answers)]
        if failures:
            await self._write_failures(failures)
            del self._failures[: len(failures)]
        await publish(self._shift.orders, applied.changed)
        await self._units.tell_of(await self._shift.connection(), applied.moved_units)
        return len(answers) + len(failures)

    async def _write_failures(self, failures: list[Failure]) -> None:
        async with self._shift.leased_transaction() as connection:
            for operation, detail, for_good in failures:
                extra = {"order_id": str(operation.order_id), "operation": operation.key, "detail": detail}
                if for_good:
                    log.error("the provider will not do what was asked", extra=extra)
                    await money.finish(connection, operation.operation_id, done=False, detail=detail[:DETAIL_MAX])
                else:
                    log.info("the provider did not do what was asked", extra=extra)
                    await money.put_off(
                        connection,
                        operation.operation_id,
                        seconds=back_off_s(operation.attempts, self._shift.settings.payment_retry_s),
                        detail=detail[:DETAIL_MAX],
                    )

    def _note_defect(self, task: asyncio.Task[None]) -> None:
        """Keep what a gateway raised that it must not: the shift ends with it, and says so."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._defect = error


def _has(provider: ProviderPayment, kind: OperationKind) -> int:
    """Return how much of an order's money the provider has taken, or given back."""
    return provider.refunded if kind == "refund" else provider.captured


def back_off_s(attempts: int, first_s: float) -> float:
    """Return how long after so many attempts the next may come: twice as long each time, and never all at once."""
    return min(LATEST_S, first_s * 2.0 ** min(attempts, 20)) * random.uniform(0.5, 1.0)  # noqa: S311  hides nothing


def _request(order: OrderMoney) -> PaymentRequest:
    """Return an order's payment as the gateway is told of it."""
    attempts = order.attempts if order.attempts is not None else int(order.payment is not None)
    was_taken_at_once = not order.at_shipping and order.payment != "authorised"
    return PaymentRequest(
        order.order_id, order.total, order.currency, order.payment_token, attempts, was_taken_at_once,
        order.reference, order.accepted_at,
    )  # fmt: skip
