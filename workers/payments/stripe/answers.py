"""What Stripe's objects say of an order's payment. Owns how they are read; asks for nothing.

A PaymentIntent is read with its latest charge, `expand: ["latest_charge"]`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from workers.payments.gateway import ProviderPayment, ProviderStatus
from workers.payments.stripe.amounts import from_stripe
from workers.payments.stripe.requests import KEY, ON_PAGE, ORDER_ID, VOIDED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stripe import Charge, PaymentIntent, Refund

_STATUS = {
    "requires_confirmation": ProviderStatus.REQUIRES_ACTION,
    "requires_action": ProviderStatus.REQUIRES_ACTION,
    "processing": ProviderStatus.REQUIRES_ACTION,
    "requires_capture": ProviderStatus.AUTHORISED,
    "succeeded": ProviderStatus.CAPTURED,
    "canceled": ProviderStatus.VOIDED,
}


def payment_of(intent: PaymentIntent, *, released_as_refund: int = 0) -> ProviderPayment:
    """Return what an intent says; `released_as_refund` of what it calls refunded was never taken, as Stripe counts."""
    status = status_of(intent)
    charge = charge_of(intent)
    currency, captured = intent.currency, intent.amount_received
    held = intent.amount_capturable if status is ProviderStatus.AUTHORISED else 0
    is_held = status in (ProviderStatus.AUTHORISED, ProviderStatus.CAPTURED)
    refunded = max(0, charge.amount_refunded - released_as_refund) if charge is not None and captured else 0
    return ProviderPayment(
        status,
        authorised=from_stripe(held + captured if held else intent.amount, currency) if is_held else 0,
        captured=from_stripe(captured, currency),
        refunded=from_stripe(refunded, currency),
        reference=intent.id,
        next_action=_next_action(intent) if status is ProviderStatus.REQUIRES_ACTION else None,
        card=_fingerprint(charge),
        detail=_said_of(intent.last_payment_error) if status is ProviderStatus.DECLINED else None,
    )


def status_of(intent: PaymentIntent) -> ProviderStatus:
    """Return how an intent stands; one whose page is to bring a card, or another, requires its shopper's action."""
    if has_mark(intent, VOIDED):
        return ProviderStatus.VOIDED
    if intent.status == "requires_payment_method":
        is_declined = intent.last_payment_error is not None and not has_mark(intent, ON_PAGE)
        return ProviderStatus.DECLINED if is_declined else ProviderStatus.REQUIRES_ACTION
    return _STATUS[intent.status]


def declined(detail: str, reference: str | None) -> ProviderPayment:
    """Return that a payment was declined."""
    return ProviderPayment(ProviderStatus.DECLINED, reference=reference, detail=detail)


def charge_of(intent: PaymentIntent) -> Charge | None:
    """Return an intent's charge; None: there was none yet."""
    charge = intent.latest_charge
    return None if charge is None or isinstance(charge, str) else charge


def is_partly_captured(intent: PaymentIntent) -> bool:
    """Say whether it took less than it had held: then what it let go may be counted among what it gave back."""
    return intent.status == "succeeded" and 0 < intent.amount_received < intent.amount


def released(refunds: Iterable[Refund]) -> int:
    """Return how much of these refunds was let go at a capture: Stripe's own, which name neither order nor reason."""
    return sum(one.amount for one in refunds if not _is_real(one))


def refund_by(refunds: Iterable[Refund], key: str) -> Refund | None:
    """Return the refund that was made under a key, None if none was."""
    return next((one for one in refunds if _metadata(one).get(KEY) == key), None)


def order_of(intent: PaymentIntent) -> UUID | None:
    """Return the order that an intent names, None if it names none of ours."""
    try:
        return UUID(_metadata(intent).get(ORDER_ID) or "")
    except ValueError:
        return None


def has_mark(intent: PaymentIntent, mark: str) -> bool:
    """Say whether its metadata have a name."""
    return mark in _metadata(intent)


def _metadata(of: Any) -> dict[str, str]:
    metadata = of.metadata
    return {} if metadata is None else metadata.to_dict()


def _is_real(refund: Refund) -> bool:
    return ORDER_ID in _metadata(refund) or getattr(refund, "reason", None) is not None


def _next_action(intent: PaymentIntent) -> dict[str, Any] | None:
    """Return what the shop's page needs: Stripe.js takes the secret, whatever the type is."""
    if intent.status == "processing":
        return None  # the bank's turn
    action = intent.next_action
    kind = "confirm" if action is None else action.type
    shown: dict[str, Any] = {"type": kind, "client_secret": intent.client_secret}
    redirect = getattr(action, "redirect_to_url", None)
    return shown if redirect is None else shown | {"redirect_to_url": redirect.url}


def _fingerprint(charge: Charge | None) -> str | None:
    details = None if charge is None else getattr(charge, "payment_method_details", None)
    card = None if details is None else getattr(details, "card", None)
    return None if card is None else card.fingerprint


def _said_of(error: Any) -> str | None:
    return None if error is None else str(getattr(error, "message", None) or getattr(error, "code", None) or "declined")
