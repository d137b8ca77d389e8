"""What Stripe's failures mean: what may be done next, and what is a decline."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
import stripe

from workers.payments.gateway import (
    GatewayDownError,
    GatewayError,
    OutcomeUnknownError,
    PaymentRefusedError,
    RateLimitedError,
)
from workers.payments.stripe.failures import declines, gateway_error, reference_in


def connection_error(cause: Exception) -> stripe.APIConnectionError:
    error = stripe.APIConnectionError("away")
    error.__cause__ = cause
    return error


def invalid(param: str | None, code: str | None = None) -> stripe.InvalidRequestError:
    return stripe.InvalidRequestError("no", param, code)


def body(code: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": "no"}}


UNREACHED = aiohttp.ClientConnectorError(None, OSError("refused"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (connection_error(UNREACHED), GatewayDownError),
        (connection_error(TimeoutError()), OutcomeUnknownError),
        (connection_error(aiohttp.ServerDisconnectedError()), OutcomeUnknownError),
        (stripe.APIError("oh", http_status=500), OutcomeUnknownError),
        (stripe.APIError("under way", http_status=409), OutcomeUnknownError),
        (stripe.RateLimitError("too many", http_status=429), RateLimitedError),
        (stripe.RateLimitError("lock", http_status=429, json_body=body("lock_timeout")), OutcomeUnknownError),
        (stripe.AuthenticationError("no such key"), GatewayDownError),
        (stripe.PermissionError("not allowed"), GatewayDownError),
        (stripe.IdempotencyError("other body"), OutcomeUnknownError),
        (invalid("amount", "amount_too_large"), PaymentRefusedError),
    ],
)
def test_what_a_failure_means(error: stripe.StripeError, kind: type[GatewayError]) -> None:
    assert type(gateway_error(error)) is kind


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7.0), ("0", 0.0), ("99999999", 3600.0), ("", None), ("soon", None), ("-1", None), ("٣", None), (None, None)],
)
def test_how_long_to_wait_after_a_429(value: str | None, seconds: float | None) -> None:
    headers = {} if value is None else {"retry-after": value}
    error = gateway_error(stripe.RateLimitError("too many", headers=headers))
    assert isinstance(error, RateLimitedError)
    assert error.retry_after_s == seconds


def test_what_is_a_decline() -> None:
    assert declines(stripe.CardError("declined", None, "card_declined"))
    assert declines(invalid("payment_method", "resource_missing"))
    assert declines(invalid("confirmation_token"))
    assert not declines(invalid("amount", "amount_too_small"))
    assert not declines(invalid(None))
    assert not declines(stripe.APIError("oh"))


def test_which_intent_a_failure_is_about() -> None:
    told = {"error": {"code": "card_declined", "payment_intent": {"id": "pi_7", "object": "payment_intent"}}}
    assert reference_in(stripe.CardError("declined", None, "card_declined", json_body=told)) == "pi_7"
    assert reference_in(stripe.CardError("declined", None, "card_declined")) is None
