"""The one decision about an order's money: what to do, given the order and what its provider has. Pure; asks nobody.

Settle's answers, look-ups, voids and the sweep all come here, so that duplicates, late answers and answers out of order
cannot do harm: what counts is what the provider has, and where the order stands when its row is locked.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple

from db.orders.money import NotedPayment, OrderMoney
from db.orders.states import Status
from workers.payments.gateway import ProviderPayment, ProviderStatus

DECLINED = "payment_declined"
EXPIRED = "hold_expired"
OVER_LIMIT = "limit_exceeded"
STANDBY = "standby"
"""Why a pending order waits although nothing is reserved for it."""


class MoneyStep(Enum):
    """What is to be done with an order; what the provider has is noted with each."""

    NOTE = auto()
    """Nothing more."""
    ASK = auto()
    """The provider has nothing: have it authorised, by the settle shift."""
    WAIT_FOR_SHOPPER = auto()
    """Make the hold longer, once, and look again."""
    CONFIRM = auto()
    CONFIRM_ANEW = auto()
    """It was paid after its units went: reserve them again and confirm, or else give its money back and cancel it."""
    RELEASE = auto()
    """The hold ends without an answer: the units go now, the order when the provider has said."""
    CANCEL = auto()
    VOID = auto()
    """Queue it."""
    REFUND = auto()
    """Queue it."""
    CAPTURE = auto()
    """Queue it."""


class Decision(NamedTuple):
    """What is to be done; `amount` in minor units, of a refund or capture."""

    step: MoneyStep
    amount: int = 0
    reason: str | None = None
    """Of a cancellation."""


_NOTE = Decision(MoneyStep.NOTE)
_ASK = Decision(MoneyStep.ASK)
_WAIT = Decision(MoneyStep.WAIT_FOR_SHOPPER)
_CONFIRM = Decision(MoneyStep.CONFIRM)
_ANEW = Decision(MoneyStep.CONFIRM_ANEW)
_RELEASE = Decision(MoneyStep.RELEASE)
_VOID = Decision(MoneyStep.VOID)
_DECLINE = Decision(MoneyStep.CANCEL, reason=DECLINED)
_EXPIRE = Decision(MoneyStep.CANCEL, reason=EXPIRED)


class Hold(NamedTuple):
    """What counts of a pending order whose units are reserved."""

    at_shipping: bool
    """Its money is taken parcel by parcel."""
    is_over: bool = False
    """It ended, and cannot be made longer."""
    capturing: int = 0
    """Queued to be taken."""


def decide(order: OrderMoney, provider: ProviderPayment) -> Decision:
    """Return what is to be done with an order of which the provider has this."""
    if order.status == Status.PENDING:
        if order.is_held:
            is_over = bool(order.expired and order.extended)
            return decide_held(Hold(order.at_shipping, is_over, order.capturing), provider)
        return _take_back(order, provider) if order.reason == STANDBY else _decide_released(order, provider)
    if order.status == Status.CANCELLED:
        return _take_back(order, provider)
    return _decide_confirmed(order, provider)


def decide_held(hold: Hold, provider: ProviderPayment) -> Decision:
    """Return what is to be done with a pending order whose units are reserved: the settle shift is at it."""
    status = provider.status
    if status is ProviderStatus.CAPTURED and provider.captured > provider.refunded:
        return _CONFIRM
    if status is ProviderStatus.AUTHORISED:
        if hold.at_shipping:
            return _CONFIRM
        rest = provider.held - hold.capturing
        return Decision(MoneyStep.CAPTURE, rest) if rest > 0 else _NOTE
    if status is ProviderStatus.REQUIRES_ACTION:
        return _RELEASE if hold.is_over else _WAIT
    return _ASK if status is ProviderStatus.NOTHING else _DECLINE


def _decide_released(order: OrderMoney, provider: ProviderPayment) -> Decision:
    """Its hold ended, and what its payment came to is not known yet."""
    match provider.status:
        case ProviderStatus.NOTHING:
            return _NOTE if order.voiding else _EXPIRE
        case ProviderStatus.REQUIRES_ACTION:
            return _VOID
        case ProviderStatus.AUTHORISED:
            # A void that is on its way would take it from under the goods, however late it comes.
            return _VOID if order.letting_go else _ANEW
        case ProviderStatus.CAPTURED if provider.captured > provider.refunded:
            return _ANEW
        case ProviderStatus.DECLINED:
            return _DECLINE
        case _:
            return _EXPIRE


def _take_back(order: OrderMoney, provider: ProviderPayment) -> Decision:
    """It is cancelled, refunded, paid elsewhere, or stands by for units: nothing may stay held or taken."""
    match provider.status:
        case ProviderStatus.REQUIRES_ACTION | ProviderStatus.AUTHORISED:
            return _VOID
        case ProviderStatus.CAPTURED:
            rest = max(provider.captured, order.captured) - max(provider.refunded, order.refunded) - order.refunding
            return Decision(MoneyStep.REFUND, rest) if rest > 0 else _NOTE
        case _:
            return _NOTE


def _decide_confirmed(order: OrderMoney, provider: ProviderPayment) -> Decision:
    """It is served: whoever cancels, ships or refunds says what becomes of its money."""
    if order.status == Status.REFUNDED or order.paid_elsewhere:
        return _take_back(order, provider)
    if provider.status is not ProviderStatus.AUTHORISED:
        return _NOTE
    if order.at_shipping:
        return _NOTE
    rest = min(provider.held, order.kept - max(provider.captured, order.captured)) - order.capturing
    return Decision(MoneyStep.CAPTURE, rest) if rest > 0 else _NOTE


def noted(order: OrderMoney, provider: ProviderPayment) -> NotedPayment:
    """Return what the order's row says of its payment from now on.

    What was taken and given back only grows: an answer that was late takes nothing back of what another said.
    """
    captured = max(order.captured, provider.captured)
    refunded = max(order.refunded, provider.refunded)
    authorised = order.authorised
    if provider.status is ProviderStatus.AUTHORISED and order.at_shipping:
        authorised = provider.authorised
    payment: str | None
    if refunded >= captured > 0:
        payment = "refunded"
    elif refunded > 0:
        payment = "partially_refunded"
    elif captured > 0:
        payment = "captured"
    else:
        payment = _WORDS.get(provider.status) or order.payment
    return NotedPayment(payment, authorised, captured, refunded, provider.reference or order.reference)


_WORDS = {
    ProviderStatus.REQUIRES_ACTION: "requires_action",
    ProviderStatus.AUTHORISED: "authorised",
    ProviderStatus.CAPTURED: "captured",
    ProviderStatus.VOIDED: "voided",
    ProviderStatus.DECLINED: "failed",
}
