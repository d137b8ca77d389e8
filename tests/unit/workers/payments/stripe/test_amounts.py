"""Amounts as Stripe counts them, for every currency that a price can be in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorbuster.values.currencies import EXPONENTS
from workers.payments.gateway import PaymentRefusedError
from workers.payments.stripe.amounts import from_stripe, stripe_decimals, to_stripe


@pytest.mark.parametrize(
    ("amount", "currency", "counted"),
    [
        (1_000, "EUR", 1_000),
        (500, "JPY", 500),
        (5_120, "KWD", 5_120),
        (5, "ISK", 500),
        (5, "UGX", 500),
        (500, "MGA", 5),
        (0, "EUR", 0),
        (2**53 - 1, "USD", 2**53 - 1),
        (1_045, "HUF", 1_045),
    ],
)
def test_as_stripe_documents_it(amount: int, currency: str, counted: int) -> None:
    assert to_stripe(amount, currency) == counted
    assert from_stripe(counted, currency.lower()) == amount


@pytest.mark.parametrize(
    ("amount", "currency"), [(5_124, "KWD"), (1, "BHD"), (501, "MGA"), (1_000, "CLF"), (1_000, "IQD"), (1_000, "LYD")]
)
def test_what_stripe_does_not_count_is_refused(amount: int, currency: str) -> None:
    with pytest.raises(PaymentRefusedError, match=currency):
        to_stripe(amount, currency)


@given(st.integers(0, 10**12), st.sampled_from(sorted(EXPONENTS)))
def test_what_can_be_told_to_stripe_comes_back_as_it_was(amount: int, currency: str) -> None:
    try:
        counted = to_stripe(amount, currency)
    except PaymentRefusedError:
        assert stripe_decimals(currency) is None or currency == "MGA" or (EXPONENTS[currency] == 3 and amount % 10)
    else:
        assert from_stripe(counted, currency.lower()) == amount
