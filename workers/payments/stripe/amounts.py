"""Amounts as Stripe counts them. Owns where its units are not those of ISO 4217 (docs.stripe.com/currencies); pure."""

from __future__ import annotations

from doorbuster.values.currencies import EXPONENTS
from workers.payments.gateway import PaymentRefusedError

_WITHOUT_DECIMALS = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"}
)
_THREE_DECIMALS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
"""Their last digit must be 0."""


def stripe_decimals(currency: str) -> int | None:
    """Return how many decimals Stripe counts a currency with, None if it does not take it at all.

    ISK and UGX, without decimals in the standard, are counted in hundredths; MGA the other way round.
    """
    if currency in _WITHOUT_DECIMALS:
        return 0
    if currency in _THREE_DECIMALS:
        return 3
    return 2 if EXPONENTS.get(currency, 9) <= 2 else None


def to_stripe(amount: int, currency: str) -> int:
    """Return an amount in minor units as Stripe counts it.

    Raises:
        PaymentRefusedError: Stripe cannot take this amount.
    """
    decimals = stripe_decimals(currency)
    if decimals is None:
        raise PaymentRefusedError(f"Stripe takes no {currency}")
    counted, rest = _scaled(amount, decimals - EXPONENTS[currency])
    if rest or (decimals == 3 and counted % 10):
        raise PaymentRefusedError(f"Stripe takes no {amount} minor units of {currency}: it does not count so finely")
    return counted


def from_stripe(amount: int, currency: str) -> int:
    """Return an amount that Stripe counted, in minor units."""
    code = currency.upper()
    counted, _ = _scaled(amount, EXPONENTS[code] - (stripe_decimals(code) or 0))
    return counted


def _scaled(amount: int, digits: int) -> tuple[int, int]:
    return (amount * 10**digits, 0) if digits >= 0 else divmod(amount, 10**-digits)
