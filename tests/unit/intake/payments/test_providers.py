"""What is read of each provider's callbacks, and what is not understood."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import get_args
from uuid import UUID

import pytest

from doorbuster.settings import Settings
from intake.payments.providers import READERS, PaymentNews, read_simulated, read_stripe
from tests.fixtures.callbacks import (
    SIMULATED_SECRET,
    STRIPE_SECRET,
    signed_as_standard,
    signed_as_stripe,
    simulated_event,
    stripe_event,
)

ORDER = UUID("00000100-783a-87a7-ac3d-28c5383a4d5d")


def _stripe(body: bytes) -> PaymentNews | None:
    headers = {name.lower(): value for name, value in signed_as_stripe(body).items()}
    return read_stripe(STRIPE_SECRET, headers, body, time.time())


def _simulated(body: bytes) -> PaymentNews | None:
    return read_simulated(SIMULATED_SECRET, signed_as_standard(body), body, time.time())


def test_every_provider_has_a_reader() -> None:
    assert set(READERS) == set(get_args(Settings.model_fields["payment_provider"].annotation))


@pytest.mark.parametrize(
    ("kind", "claim"),
    [
        ("payment_intent.succeeded", "captured"),
        ("payment_intent.amount_capturable_updated", "authorised"),
        ("payment_intent.canceled", "voided"),
        ("payment_intent.requires_action", "requires_action"),
        ("payment_intent.payment_failed", "failed"),
        ("charge.refunded", None),
        ("something.new", None),
    ],
)
def test_an_event_of_stripes(kind: str, claim: str | None) -> None:
    assert _stripe(stripe_event(ORDER, kind)) == PaymentNews(ORDER, claim)


def test_an_event_of_the_simulated_provider() -> None:
    assert _simulated(simulated_event(ORDER)) == PaymentNews(ORDER, "captured")
    assert _simulated(simulated_event(ORDER, "payment.failed", created=1)) == PaymentNews(ORDER, "failed")
    assert _simulated(simulated_event(ORDER, "new")) == PaymentNews(ORDER, None)
    assert _simulated(simulated_event(ORDER, "action.succeeded")) == PaymentNews(ORDER, None, acted=True)
    assert _simulated(simulated_event(ORDER, "action.failed")) == PaymentNews(ORDER, None, acted=False)
    assert _stripe(stripe_event(ORDER, "action.succeeded")) == PaymentNews(ORDER, None)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b"1", b'"x"', b"{}", b"\xff", b"[" * 9000, b'{"type": 1}', b'{"data": {}}',
        b'{"type": "x", "data": {"object": {}}}', b'{"type": "x", "data": {"object": {"metadata": {}}}}',
        b'{"type": "x", "data": {"object": {"metadata": null}}}', b'{"type": "x", "data": {"order_id": 7}}',
        b'{"type": "x", "data": {"object": {"metadata": {"order_id": 7}}}}', simulated_event("x"), stripe_event("x"),
        simulated_event("00000100783a87a7ac3d28c5383a4d5d0"), stripe_event("\0"), stripe_event("\u0660" * 32),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_about_nothing(body: bytes) -> None:
    assert _stripe(body) is None
    assert _simulated(body) is None


def test_an_intake_imports_no_providers_client() -> None:
    asked = (
        "import sys, intake.app; print(sorted({'stripe', 'workers'} & {name.split('.')[0] for name in sys.modules}))"
    )
    ran = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout == "[]\n"
