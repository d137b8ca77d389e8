"""What Stripe's failures mean for what may be done next. Owns that mapping; never catches what it does not know.

A declined card is no failure; see `declines`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import aiohttp
import stripe

from workers.payments.gateway import (
    GatewayDownError,
    GatewayError,
    OutcomeUnknownError,
    PaymentRefusedError,
    RateLimitedError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger("doorbuster.workers.payments.stripe")

RETRY_AFTER_MAX_S = 3_600.0
_OF_THE_SHOPPER = frozenset({"payment_method", "confirmation_token"})
"""Parameters that the shop's page brings: what is wrong with them is a decline."""


def gateway_error(error: stripe.StripeError) -> GatewayError:
    """Return what a failure of a call to Stripe means."""
    said = str(error)
    match error:
        case stripe.APIConnectionError():
            # Nothing was sent where no connection came to be.
            is_unsent = isinstance(error.__cause__, aiohttp.ClientConnectorError)
            return GatewayDownError(said) if is_unsent else OutcomeUnknownError(said)
        case stripe.RateLimitError() if _code_of(error) == "lock_timeout":
            return OutcomeUnknownError(said)  # another call is at the same payment: no word about how many we make
        case stripe.RateLimitError():
            return RateLimitedError(said, _retry_after_s(error.headers))
        case stripe.AuthenticationError() | stripe.PermissionError():
            # Nothing was done, and it is no order's fault: they wait for the key to be put right.
            log.error("Stripe does not take the key", extra={"error": said})
            return GatewayDownError(said)
        case stripe.IdempotencyError():
            return OutcomeUnknownError(said)
        case stripe.InvalidRequestError():
            log.error("Stripe refused a request", extra={"error": said, "code": error.code, "param": error.param})
            return PaymentRefusedError(said)
        case _:
            return OutcomeUnknownError(said)  # 5xx; 409 while the same key is under way


def declines(error: stripe.StripeError) -> bool:
    """Say whether a failure to authorise is a decline: by the bank, or since there is no such card to charge."""
    if isinstance(error, stripe.CardError):
        return True
    return isinstance(error, stripe.InvalidRequestError) and error.param in _OF_THE_SHOPPER


def is_unexpected_state(error: stripe.StripeError) -> bool:
    """Say whether the payment stands otherwise than was thought: to be read anew."""
    return isinstance(error, stripe.InvalidRequestError) and error.code in (
        "payment_intent_unexpected_state",
        "charge_already_captured",
    )


def reference_in(error: stripe.StripeError) -> str | None:
    """Return the id of the intent that a failure is about."""
    intent = getattr(error.error, "payment_intent", None)
    return getattr(intent, "id", None)


def _code_of(error: stripe.StripeError) -> str | None:
    return getattr(error.error, "code", None)


def _retry_after_s(headers: Mapping[str, str] | None) -> float | None:
    found = {name.lower(): value for name, value in (headers or {}).items()}.get("retry-after", "")
    return min(float(found), RETRY_AFTER_MAX_S) if found.isdecimal() and found.isascii() else None
