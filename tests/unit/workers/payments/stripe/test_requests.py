"""What is asked of Stripe is legal, and stays what it was: it is compared with what came first under the same key."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from stripe.params import (
    PaymentIntentCaptureParams,
    PaymentIntentCreateParams,
    PaymentIntentListParams,
    PaymentIntentSearchParams,
    RefundCreateParams,
)

from tests.fixtures.legal import problems
from workers.payments.gateway import PaymentRefusedError, PaymentRequest
from workers.payments.stripe import requests

ORDER = UUID("00000100-783a-87a7-ac3d-28c5383a4d5d")
PAYMENT = PaymentRequest(ORDER, 4_900, "EUR", "pm_card_visa")
KEY = f"{ORDER}:capture:17"
CAPTURED: dict[str, Any] = {
    "amount": 4900,
    "currency": "eur",
    "capture_method": "automatic",
    "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
    "metadata": {"order_id": str(ORDER)},
    "expand": ["latest_charge"],
    "confirm": True,
    "payment_method": "pm_card_visa",
}
HELD = CAPTURED | {
    "capture_method": "manual",
    "payment_method_options": {"card": {"request_multicapture": "if_available"}},
}
TOKEN = CAPTURED | {"confirmation_token": "ctoken_1"}
del TOKEN["payment_method"]
ON_PAGE = {name: value for name, value in CAPTURED.items() if name not in ("confirm", "payment_method")}
ON_PAGE["metadata"] = {"order_id": str(ORDER), "on_page": "true"}
INSTEAD = {
    "amount": 4900,
    "currency": "eur",
    "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
    "metadata": {"order_id": str(ORDER), "voided": "true"},
    "expand": ["latest_charge"],
}


@pytest.mark.parametrize(
    ("made", "recorded"),
    [
        (requests.asking(PAYMENT), CAPTURED),
        (requests.asking(PAYMENT._replace(capture=False)), HELD),
        (requests.asking(PAYMENT._replace(token="ctoken_1")), TOKEN),
        (requests.asking(PAYMENT._replace(token=None)), ON_PAGE),
        (requests.asking(PAYMENT._replace(token="")), ON_PAGE),
        (requests.instead(PAYMENT), INSTEAD),
    ],
)
def test_what_makes_an_intent_is_as_recorded(made: PaymentIntentCreateParams, recorded: dict[str, Any]) -> None:
    """Orders are under way while the version changes: another parameter would make their key another's."""
    assert made == recorded


@pytest.mark.parametrize("attempts", [0, 3])
def test_nothing_in_it_changes_between_attempts(attempts: int) -> None:
    later = PAYMENT._replace(attempts=attempts, reference="pi_1", since=datetime.now(UTC))
    assert requests.asking(later) == requests.asking(PAYMENT)
    assert requests.instead(later) == requests.instead(PAYMENT)


@pytest.mark.parametrize(
    ("made", "declared"),
    [
        *((one, PaymentIntentCreateParams) for one in (CAPTURED, HELD, TOKEN, ON_PAGE, INSTEAD)),
        (requests.capturing(PAYMENT, 100, key=KEY, final=False), PaymentIntentCaptureParams),
        (requests.capturing(PAYMENT, 100, key=KEY, final=True), PaymentIntentCaptureParams),
        (requests.releasing(), PaymentIntentCaptureParams),
        (requests.refunding(PAYMENT, "pi_1", 100, key=KEY), RefundCreateParams),
        (requests.searching(ORDER), PaymentIntentSearchParams),
        (requests.listing(datetime.now(UTC)), PaymentIntentListParams),
    ],
)
def test_what_is_asked_is_legal(made: dict[str, Any], declared: Any) -> None:
    assert list(problems(made, declared)) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"capture_metod": "manual"},
        {"capture_method": "by_hand"},
        {"amount": "4900"},
        {"confirm": "true"},
        {"payment_method_options": {"card": {"request_multicapture": "always"}}},
        {"payment_method_options": {"card": {"request_multicaptures": "never"}}},
        {"automatic_payment_methods": {"enabled": True, "allow_redirects": False}},
        {"automatic_payment_methods": {"allow_redirects": "never"}},
        {"expand": "latest_charge"},
        {"metadata": {"order_id": ORDER}},
        {"idempotency_key": "a"},
    ],
)
def test_what_is_not_legal_is_found(wrong: dict[str, Any]) -> None:
    assert len(list(problems(CAPTURED | wrong, PaymentIntentCreateParams))) == 1
    missing = {name: value for name, value in CAPTURED.items() if name != "amount"}
    assert list(problems(missing, PaymentIntentCreateParams)) == [".amount is missing"]


def test_a_capture_is_marked_by_what_fits_into_metadata() -> None:
    assert requests.capture_mark(ORDER, KEY) == "capture:17"
    assert len(requests.capture_mark(ORDER, f"{ORDER}:capture:{10**30}{'x' * 100}")) == 40
    assert requests.capturing(PAYMENT, 100, key=KEY, final=True)["metadata"] == {"capture:17": "100"}


def test_what_stripe_cannot_count_is_asked_of_nobody() -> None:
    with pytest.raises(PaymentRefusedError):
        requests.asking(PAYMENT._replace(total=1_234, currency="KWD"))
