"""How each payment provider's callbacks are read: whether they are its own, what they are about. Owns that; no I/O.

Only the order matters and what the provider claims to have: what counts is what it says when it is asked. So what is
not understood here is no fault, and no older version of an event is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

import msgspec

from intake.payments.signatures import SignatureInvalidError, check_standard, check_stripe

if TYPE_CHECKING:
    from pydantic import SecretStr

    from doorbuster.settings import Settings


class PaymentNews(NamedTuple):
    """What a callback is about."""

    order_id: UUID
    claim: str | None
    """The payment status that the provider claims, None: something else."""
    acted: bool | None = None
    """Of the simulated provider: the shopper did what was asked for, or failed to; None: it is about something else."""


class _About(msgspec.Struct):
    order_id: UUID


class _Object(msgspec.Struct):
    metadata: _About


class _Data(msgspec.Struct):
    object: _Object


class _StripeEvent(msgspec.Struct):
    type: str
    data: _Data


class _SimulatedEvent(msgspec.Struct):
    type: str
    data: _About


Headers = Mapping[str, str]
Reader = Callable[[str, Headers, bytes, float], PaymentNews | None]
"""Takes the secret, the headers (names in small letters), the body and the time; returns what it is about, if known.

Raises SignatureInvalidError."""

_STRIPE_CLAIMS = {
    "payment_intent.requires_action": "requires_action",
    "payment_intent.amount_capturable_updated": "authorised",
    "payment_intent.succeeded": "captured",
    "payment_intent.canceled": "voided",
    "payment_intent.payment_failed": "failed",
}
_SIMULATED_CLAIMS = {
    "payment.requires_action": "requires_action",
    "payment.authorised": "authorised",
    "payment.captured": "captured",
    "payment.voided": "voided",
    "payment.failed": "failed",
}
_SIMULATED_ACTS = {"action.succeeded": True, "action.failed": False}
_stripe_event = msgspec.json.Decoder(_StripeEvent).decode
_simulated_event = msgspec.json.Decoder(_SimulatedEvent).decode


def read_stripe(secret: str, headers: Headers, body: bytes, now: float) -> PaymentNews | None:
    """Read an event of Stripe; the order is in the metadata of what it is about."""
    check_stripe(secret, headers.get("stripe-signature"), body, now)
    try:
        event = _stripe_event(body)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return None
    return PaymentNews(event.data.object.metadata.order_id, _STRIPE_CLAIMS.get(event.type))


def read_simulated(secret: str, headers: Headers, body: bytes, now: float) -> PaymentNews | None:
    """Read an event of the simulated provider, `{"type": "payment.captured", "data": {"order_id": "..."}}`."""
    check_standard(secret, headers, body, now)
    try:
        event = _simulated_event(body)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return None
    return PaymentNews(event.data.order_id, _SIMULATED_CLAIMS.get(event.type), _SIMULATED_ACTS.get(event.type))


READERS: Mapping[str, Reader] = MappingProxyType({"simulated": read_simulated, "stripe": read_stripe})
"""Who reads whose callbacks; the names are those of `PAYMENT_PROVIDER`."""


class CallbackReader:
    """Reads the callbacks of the provider that the settings name."""

    def __init__(self, settings: Settings) -> None:
        self.provider = settings.payment_provider
        secrets: dict[str, SecretStr | None] = {
            "simulated": settings.payment_webhook_secret,
            "stripe": settings.stripe_webhook_secret,
        }
        secret = secrets[self.provider]
        self._secret = None if secret is None else secret.get_secret_value()

    def read(self, headers: Headers, body: bytes, now: float) -> PaymentNews | None:
        """Return what a callback is about, None if that is not known.

        Raises:
            SignatureInvalidError: it is not the provider's, or there is no secret to tell by.
        """
        if self._secret is None:
            raise SignatureInvalidError("No secret is set to check callbacks with")
        return READERS[self.provider](self._secret, headers, body, now)
