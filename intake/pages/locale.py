"""How a page speaks to one visitor: language, plurals, numbers, amounts, times. Owns wording by locale, no text itself.

The words are in the best of the languages that there are texts in. Figures follow the visitor's own locale: who reads
the page in English for want of another language still reads amounts as at home. What a script repeats in the browser
(`Intl`) comes from the same tables, those of the CLDR.
"""

from __future__ import annotations

import copy
import math
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from babel import Locale, UnknownLocaleError
from babel.dates import format_skeleton, format_time
from babel.numbers import format_decimal
from babel.units import format_unit

from doorbuster.values.currencies import EXPONENTS

if TYPE_CHECKING:
    from datetime import datetime

Texts = "Mapping[str, str | Mapping[str, str]]"
FALLBACK = "en"
_USUAL = 2
TAGS_MAX, TAG_MAX, HEADER_MAX = 10, 35, 512
OTHER = "other"
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_SCALE = ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute"), (1, "second"))


class Tongue(NamedTuple):
    """A visitor's language and locale."""

    language: str
    """Of the page: one that there are texts in."""
    words: Locale
    """The same with the visitor's region: for dates and plurals, which stand among the words."""
    figures: Locale
    """For numbers and amounts."""

    def number(self, value: int) -> str:
        """Return a whole number, grouped as usual."""
        return str(format_decimal(value, locale=self.figures))

    def amount(self, minor_units: int, currency: str) -> str:
        """Return an amount with the decimals that ISO 4217 gives its currency."""
        return _amount(self.figures, minor_units, currency)

    def form(self, count: int) -> str:
        """Return the plural category of a count: `one`, `few`, `other`, ..."""
        return str(self.words.plural_form(count))

    def duration(self, seconds: float, *, rough: bool = False) -> str:
        """Return a time to wait in at most two units; rough: nothing finer than minutes, and those rounded up."""
        left = max(0, math.ceil(seconds))
        if rough:
            left = max(_MINUTE, math.ceil(left / _MINUTE) * _MINUTE)
        first = next((place for place, (size, _) in enumerate(_SCALE) if left >= size), len(_SCALE) - 1)
        parts: list[str] = []
        for size, unit in _SCALE[first : first + 2]:
            count, left = divmod(left, size)
            if count or not parts:
                parts.append(str(format_unit(count, unit, "short", locale=self.words)))
        return " ".join(parts)

    def date(self, at: datetime) -> str:
        """Return the day."""
        return str(format_skeleton("yMMMEd", at, locale=self.words))

    def time(self, at: datetime) -> str:
        """Return the time of day in UTC, and that it is; a script shows it in the visitor's zone."""
        return f"{format_time(at, 'short', locale=self.words)} UTC"

    def moment(self, at: datetime) -> str:
        """Return day and time of day."""
        return f"{self.date(at)}, {self.time(at)}"


@lru_cache(maxsize=256)
def _pattern(locale: Locale, exponent: int) -> object:
    pattern = copy.copy(locale.currency_formats["standard"])
    pattern.frac_prec = (exponent, exponent)
    return pattern


def _amount(locale: Locale, minor_units: int, currency: str) -> str:
    if not currency:  # of a product that cannot be read
        return ""
    # The CLDR likes no decimals of some currencies that have two: what is worth what is the standard's to say.
    exponent = EXPONENTS.get(currency, _USUAL)
    pattern, value = _pattern(locale, exponent), Decimal(minor_units).scaleb(-exponent)
    return str(pattern.apply(value, locale, currency=currency, currency_digits=False))  # type: ignore[attr-defined]


def tongue_of(header: str, known: tuple[str, ...]) -> Tongue:
    """Return how to speak to who sends this Accept-Language header, in one of the known languages."""
    return _tongue(header[:HEADER_MAX], known)


@lru_cache(maxsize=1024)
def _tongue(header: str, known: tuple[str, ...]) -> Tongue:
    tags = _wished(header)
    for tag in tags:
        language = tag.partition("-")[0]
        if language in known:
            locale = _locale(tag) or _locale(language) or Locale(FALLBACK)
            return Tongue(language, locale, locale)
    locales = filter(None, map(_locale, tags))
    return Tongue(FALLBACK, Locale(FALLBACK), next(locales, Locale(FALLBACK)))


def _wished(header: str) -> list[str]:
    wishes: list[tuple[float, int, str]] = []
    for place, part in enumerate(header.split(",")[:TAGS_MAX]):
        tag, _, parameter = part.strip().partition(";")
        wishes.append((-_quality(parameter), place, tag.strip().lower()))
    return [tag for quality, _, tag in sorted(wishes) if quality < 0 and tag and len(tag) <= TAG_MAX]


def _locale(tag: str) -> Locale | None:
    """Return the locale of a language tag, by ever less of it, None if even its language is not known."""
    parts = tag.split("-")
    while parts:
        try:
            return Locale.parse("_".join(parts))
        except (UnknownLocaleError, ValueError):
            parts.pop()
    return None


def _quality(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if not name:
        return 1.0
    try:
        return float(value) if name.strip().lower() == "q" else 1.0
    except ValueError:
        return 0.0
