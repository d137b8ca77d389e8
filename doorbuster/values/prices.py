"""Reads prices as catalogue files write them into whole minor units. Owns what such a text may mean; pure.

What could mean two amounts is refused: `1.234` is 1234 to some and 1.234 to others.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Literal

from doorbuster.values.currencies import EXPONENTS

Unit = Literal["minor", "major"]

_LENGTH_MAX = 64
_SHOWN_MAX = 60
_PLAIN = str.maketrans(dict.fromkeys("\u00a0\u2007\u2009\u202f", " ") | {"\u2019": "'"})
_PRICE = re.compile(r"(?:(?P<before>[A-Za-z]{3})\s*)?(?P<number>-?\d[\d.,' ]*)(?<!\s)(?:\s*(?P<behind>[A-Za-z]{3}))?")
_GROUPED = re.compile(r"\d{1,3}(?:([ '])\d{3})(?:\1\d{3})*|\d+")
_WHOLE = re.compile(r"(-?\d+)(?:[.,]0+)?")
_DECIMALS = re.compile(r"\d[.,]\d")
_FLOAT_OF_INT = re.compile(r"-?\d+(?:\.0)?")


class PriceError(ValueError):
    """A text is no price, or no clear one; its words say why and show it."""


def shown(value: object) -> str:
    """Return a value as messages show it, cut to a readable length."""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}... ({len(text):,} characters)"


def has_decimals(value: object) -> bool:
    """Tell whether a price shows that it is not in minor units; `1999.0` is how programs write a whole number."""
    if isinstance(value, float):
        return not value.is_integer()
    if not isinstance(value, str) or len(value) > _LENGTH_MAX:
        return False
    return bool(_DECIMALS.search(value)) and not _FLOAT_OF_INT.fullmatch(value.strip())


def read_price(value: str | int | float, currency: str | None, unit: Unit) -> tuple[int, str | None]:
    """Return a price in minor units, and its currency: the one that stands in it, else the given one.

    Raises:
        PriceError: it is none, or not clearly one.
    """
    found = _split(repr(value) if isinstance(value, float) else str(value)) if _fits(value) else None
    if found is None:
        raise PriceError(f"{shown(value)} is no price; write it like {_example(unit)}")
    number, code = found
    if code is not None and currency and code != currency:
        raise PriceError(f"{shown(value)} is in {code}, but the line's currency is {shown(currency)}")
    currency = code or currency
    return (_minor(value, number) if unit == "minor" else _major(value, number, currency)), currency


def read_whole(text: str) -> int | None:
    """Return the whole number that a cell has, also as `1.0` or `10.0000`; None: it has none."""
    bare = text.strip()
    found = _WHOLE.fullmatch(bare) if len(bare) <= _LENGTH_MAX else None
    return int(found[1]) if found else None


def _fits(value: str | int | float) -> bool:
    return not isinstance(value, int) or abs(value) < 10**_LENGTH_MAX


def _example(unit: Unit) -> str:
    return "19.99" if unit == "major" else "1999 for 19.99 (minor units), or say --price-unit major"


def _split(text: str) -> tuple[str, str | None] | None:
    """Return a price's number and the code of its currency."""
    if len(text) > 2 * _LENGTH_MAX:
        return None
    bare = text.translate(_PLAIN).strip()
    found = _PRICE.fullmatch(bare) if len(bare) <= _LENGTH_MAX else None
    if found is None or (found["before"] and found["behind"]):
        return None
    code = found["before"] or found["behind"]
    return found["number"], code.upper() if code else None


def _minor(value: object, number: str) -> int:
    found = _WHOLE.fullmatch(number)
    if found is None:
        raise PriceError(f"{shown(value)} is no whole number of minor units; write {_example('minor')}")
    return int(found[1])


def _major(value: object, number: str, currency: str | None) -> int:
    exponent = EXPONENTS.get(currency or "", 2)
    whole, decimals = _parts(value, number.removeprefix("-"), exponent)
    if len(decimals.rstrip("0")) > exponent:
        raise PriceError(f"{shown(value)} has more decimals than {currency or 'the currency'} has ({exponent})")
    amount = int((Decimal(whole) + Decimal(f"0.{decimals or 0}")).scaleb(exponent))
    return -amount if number.startswith("-") else amount


def _parts(value: object, number: str, exponent: int) -> tuple[str, str]:
    """Return the digits before and behind the decimal sign, which is a comma or a point."""
    comma, point = number.rfind(","), number.rfind(".")
    last = max(comma, point)
    if last < 0:
        return _ungrouped(value, number), ""
    sign, whole, decimals = number[last], number[:last], number[last + 1 :]
    other = "." if sign == "," else ","
    if sign in whole:  # several of one kind: they part thousands
        return _ungrouped(value, number, sign), ""
    if not decimals.isdecimal():
        raise _unclear(value)
    if other in whole:
        return _ungrouped(value, whole, other), decimals
    plain = _ungrouped(value, whole)
    if exponent == 0 and sign == "," and len(decimals) == 3:  # 1,980 yen: there is nothing smaller than a yen
        return _ungrouped(value, number, sign), ""
    if len(decimals) == 3 and exponent < 3 and len(plain) <= 3 and plain != "0":
        raise PriceError(
            f"{shown(value)} may be {plain}{decimals} or {plain}.{decimals}; write {plain}{decimals}.00 if it is that"
        )
    return plain, decimals


def _ungrouped(value: object, text: str, sign: str = "") -> str:
    """Return the digits of a number whose thousands may be parted."""
    if sign:
        groups = text.split(sign)
        right = 1 <= len(groups[0]) <= 3 and all(len(group) == 3 for group in groups[1:])
        if not (right and all(group.isdecimal() for group in groups)):
            raise _unclear(value)
        return "".join(groups)
    if not _GROUPED.fullmatch(text):
        raise _unclear(value)
    return re.sub(r"[ ']", "", text)


def _unclear(value: object) -> PriceError:
    return PriceError(f"{shown(value)} is no price; write it like 1234.56")
