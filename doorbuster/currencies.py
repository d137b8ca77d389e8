"""How many decimals a currency has, by ISO 4217. Owns that table alone; formats nothing, knows no locale.

Amounts are whole numbers of the minor unit everywhere. What a locale likes to show (CLDR shows no decimals of some
currencies that have two) must not decide what an amount is worth.
"""

from __future__ import annotations

from decimal import Decimal
from types import MappingProxyType

USUAL = 2
_OTHERS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
EXPONENTS = MappingProxyType({code: exponent for exponent, codes in _OTHERS.items() for code in codes.split()})
"""The currencies whose minor unit is not a hundredth."""


def exponent_of(currency: str) -> int:
    """Return how many decimals the currency's minor unit stands for."""
    return EXPONENTS.get(currency, USUAL)


def in_major_units(amount: int, currency: str) -> Decimal:
    """Return an amount of minor units in the currency's own unit, with all its decimals."""
    return Decimal(amount).scaleb(-exponent_of(currency))
