"""Carries out what was decided of orders' money, in transactions of the shift. Owns how; `reconcile.py` decides what.

Orders are locked by id, then their facts are read, then decided on. What touches stock has a transaction of its own:
one that cancelled twice would take locks against their order (docs/locking.md).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from db.orders import holds, identities, money, transitions
from db.orders.money import OrderMoney
from db.orders.states import Status
from db.orders.transitions import PaidOrder
from workers.payments.answers import ProviderAnswer
from workers.payments.gateway import ProviderPayment, ProviderStatus
from workers.payments.reconcile import EXPIRED, OVER_LIMIT, Decision, MoneyStep, decide, noted

if TYPE_CHECKING:
    from db.connections.pool import Connection
    from db.orders.identities import CardRefusal
    from workers.runtime.shift import Shift

LOOK_AGAIN_S = 3.0
"""How soon a payment is looked up again that waits for the shopper or for a capture."""
VOID_AGAIN_S = 5.0
LATE_LOOK_S = 60.0
"""After a void that found nothing: what was on its way to the provider then is there by now."""

TOUCHES_STOCK = frozenset({MoneyStep.CONFIRM_ANEW, MoneyStep.RELEASE, MoneyStep.CANCEL})

log = logging.getLogger("doorbuster.workers.payments")


@dataclass(slots=True)
class Applied:
    """What was changed."""

    changed: list[UUID] = field(default_factory=list)
    """Orders that others are to be told of."""
    moved_units: list[UUID] = field(default_factory=list)
    """Orders whose units were given back, or taken again."""
    outcomes: dict[UUID, str] = field(default_factory=dict)
    """The state of those that were confirmed or cancelled."""


async def apply(shift: Shift, answers: Sequence[ProviderAnswer], *, void_after_s: float) -> Applied:
    """Decide and carry out what these answers come to; written again they change nothing.

    Raises:
        LeaseLostError: another shift works on this; what is not written yet is left to it.
    """
    applied = Applied()
    alone: list[ProviderAnswer] = []
    if not answers:
        return applied
    async with shift.leased_transaction() as connection:
        found = await _locked(connection, answers)
        for answer in answers:
            order = found.get(answer.order_id)
            if order is not None and _must_be_alone(order, answer.provider):
                alone.append(answer)
            else:
                await _Change(connection, answer, applied, void_after_s).make(order)
    for answer in alone:
        over_limit = await _limit_of_card(shift, answer)
        async with shift.leased_transaction() as connection:
            found = await _locked(connection, [answer])
            change = _Change(connection, answer, applied, void_after_s, over_limit=over_limit)
            await change.make(found.get(answer.order_id))
    return applied


def _must_be_alone(order: OrderMoney, provider: ProviderPayment) -> bool:
    """Say whether an answer may lock more than its order."""
    return decide(order, provider).step in TOUCHES_STOCK or _names_card(order, provider)


def _names_card(order: OrderMoney, provider: ProviderPayment) -> bool:
    """Say whether the provider names the card of an order that is held, in a sale that limits cards."""
    return (
        provider.card is not None and order.card_limited and order.is_held
        and provider.status in (ProviderStatus.AUTHORISED, ProviderStatus.CAPTURED)
    )  # fmt: skip


async def _limit_of_card(shift: Shift, answer: ProviderAnswer) -> CardRefusal | None:
    """Count the order for the card that the provider names; return the limit of its sale that this is over.

    In a transaction of its own: giving the units back locks stock, which comes before the limits.
    """
    if answer.provider.card is None:
        return None
    async with shift.leased_transaction() as connection:
        order = (await _locked(connection, [answer])).get(answer.order_id)
        if order is None or not _names_card(order, answer.provider):
            return None
        return await identities.count_card(connection, order.order_id, answer.provider.card)


async def _locked(connection: Connection, answers: Sequence[ProviderAnswer]) -> dict[UUID, OrderMoney]:
    ids = [answer.order_id for answer in answers]
    await money.lock_orders(connection, ids)
    done = [answer.operation.operation_id for answer in answers if answer.operation is not None]
    return await money.money_of(connection, ids, done=done)


@dataclass(slots=True)
class _Change:
    """One answer, carried out in a transaction that has locked its order."""

    connection: Connection
    answer: ProviderAnswer
    applied: Applied
    void_after_s: float
    over_limit: CardRefusal | None = None
    """What the card has more than its sale allows."""

    async def make(self, order: OrderMoney | None) -> None:
        operation = self.answer.operation
        if operation is not None:
            await money.finish(self.connection, operation.operation_id, done=True, detail=self.answer.provider.detail)
        if order is None:
            log.error("the provider has a payment of no order", extra={"order_id": str(self.answer.order_id)})
            return
        provider = self.answer.provider
        decision = decide(order, provider)
        if provider.status is not ProviderStatus.NOTHING and decision.step is not MoneyStep.WAIT_FOR_SHOPPER:
            now = noted(order, provider)
            await money.note_payment(self.connection, order.order_id, now)
            order = order._replace(**now._asdict())
        if self.over_limit and decision.step in (MoneyStep.CONFIRM, MoneyStep.CAPTURE):
            decision = Decision(MoneyStep.CANCEL, reason=OVER_LIMIT)
        await self._do(order, decision)
        if operation is not None and operation.kind == "void" and provider.status is ProviderStatus.NOTHING:
            await money.queue_look_ups(self.connection, [order.order_id], after_s=LATE_LOOK_S)

    async def _do(self, order: OrderMoney, decision: Decision) -> None:
        one, connection = [order.order_id], self.connection
        match decision.step:
            case MoneyStep.ASK if self.answer.operation is None:
                await holds.ask_later(connection, one, seconds=LOOK_AGAIN_S)
            case MoneyStep.ASK:
                await holds.ask_now(connection, one)
            case MoneyStep.CONFIRM:
                confirmed = await transitions.confirm_paid(connection, [_paid(order)])
                self.applied.changed += confirmed
                self.applied.outcomes |= dict.fromkeys(confirmed, str(Status.CONFIRMED))
            case MoneyStep.CONFIRM_ANEW:
                await self._confirm_anew(order)
            case MoneyStep.WAIT_FOR_SHOPPER:
                provider = self.answer.provider
                action = holds.OpenAction(order.order_id, provider.next_action, provider.reference)
                self.applied.changed += await holds.wait_for_shopper(connection, [action], look_after_s=LOOK_AGAIN_S)
            case MoneyStep.RELEASE:
                released = await transitions.release_many(
                    connection, one, void_after_s=self.void_after_s, served=self.applied.changed
                )
                self.applied.moved_units += released
            case MoneyStep.CANCEL:
                await self._cancel(order, decision.reason or EXPIRED)
            case MoneyStep.VOID | MoneyStep.REFUND | MoneyStep.CAPTURE:
                await self._queue(order, decision)

    async def _queue(self, order: OrderMoney, decision: Decision) -> None:
        """Have money moved at the provider."""
        one, connection = [order.order_id], self.connection
        match decision.step:
            case MoneyStep.VOID:
                is_again = self.answer.operation is not None and self.answer.operation.kind == "void"
                await money.queue_voids(connection, one, after_s=VOID_AGAIN_S if is_again else 0.0)
            case MoneyStep.REFUND:
                reason = order.reason or str(order.status)
                await money.queue_refund_of_rest(connection, order.order_id, decision.amount, reason=reason)
                self.applied.changed += one
            case MoneyStep.CAPTURE:
                await money.queue_capture(connection, order.order_id, decision.amount, shipment_id=None)
                await holds.ask_later(connection, one, seconds=LOOK_AGAIN_S)

    async def _cancel(self, order: OrderMoney, reason: str) -> None:
        cancelled = await transitions.cancel_many(
            self.connection, [order.order_id], reason=reason, served=self.applied.changed
        )
        self.applied.changed += cancelled
        self.applied.outcomes |= dict.fromkeys(cancelled, str(Status.CANCELLED))
        if order.is_held:
            self.applied.moved_units += cancelled
        if cancelled and reason == OVER_LIMIT and self.over_limit is not None:
            await identities.note_refusal(self.connection, order.order_id, self.over_limit)
        if cancelled:
            order = order._replace(status=Status.CANCELLED, reason=reason)
            await self._do(order, decide(order, self.answer.provider))

    async def _confirm_anew(self, order: OrderMoney) -> None:
        if await self._take_units(order):
            await holds.confirm_anew(self.connection, order.order_id)
            await money.keep_payment(self.connection, order.order_id)
            await transitions.refund_cancelled(self.connection, order.order_id)
            order = order._replace(status=Status.CONFIRMED)
            self.applied.moved_units.append(order.order_id)
            self.applied.changed.append(order.order_id)
            self.applied.outcomes[order.order_id] = str(Status.CONFIRMED)
            await self._do(order, decide(order, self.answer.provider))
        else:
            await self._cancel(order, EXPIRED)

    async def _take_units(self, order: OrderMoney) -> bool:
        """Take an order's units again; nothing is taken if the card that the provider names has too many then."""
        card = self.answer.provider.card if order.card_limited else None
        savepoint = self.connection.transaction()
        await savepoint.start()
        taken = await holds.take_units(self.connection, order.order_id) and (
            card is None or await identities.count_card(self.connection, order.order_id, card) is None
        )
        await (savepoint.commit() if taken else savepoint.rollback())
        return taken


def _paid(order: OrderMoney) -> PaidOrder:
    return PaidOrder(order.order_id, order.payment or "captured", order.authorised, order.captured, order.reference)
