"""The scalar types of the HTTP contract, with their bounds. Owns nothing with parts."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, Literal, Protocol, get_args, get_type_hints

from msgspec import Meta, Struct

from doorbuster.values.currencies import currency_problem

# "(?!\n)$" and not "$" alone, which would let a closing line feed through.
PRINTABLE = r"^[^\x00-\x1f\x7f]+(?!\n)$"
PLAIN_ID = r"^[^\x00-\x1f\x7f/]+(?!\n)$"
SALE_ID = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}(?!\n)$"

_UNSEEN = "\u200b\u2060\ufeff"
"""Signs without width that files carry along at the ends of their cells."""


def tidy_id(text: str) -> str:
    """Return an id in its one form: Unicode's NFC, without spaces and unseen signs at its ends."""
    if text.isascii():
        return text.strip()
    bare, before = unicodedata.normalize("NFC", text), ""
    while bare != before:
        before, bare = bare, bare.strip().strip(_UNSEEN)
    return bare


def id_problem(text: str) -> str | None:
    """Say why an id is not in its one form; two forms that look the same would be two customers, or two products."""
    if text.isascii() and not (text[:1].isspace() or text[-1:].isspace()):
        return None
    if tidy_id(text) == text:
        return None
    if not unicodedata.is_normalized("NFC", text):
        return "must be in Unicode's normal form NFC"
    return "must not begin or end with a space"


def _checked(check: Callable[[str], str | None]) -> dict[str, Any]:
    """Mark a type with a check that goes beyond what msgspec knows."""
    return {"check": check}


ProductId = Annotated[str, Meta(min_length=1, max_length=64, pattern=PLAIN_ID, extra=_checked(id_problem))]
CustomerId = Annotated[str, Meta(min_length=1, max_length=128, pattern=PRINTABLE, extra=_checked(id_problem))]
SaleId = Annotated[str, Meta(min_length=1, max_length=64, pattern=SALE_ID)]
Text = Annotated[str, Meta(max_length=10_000, pattern=r"^[^\x00]*(?!\n)$")]
Label = Annotated[str, Meta(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*(?!\n)$")]
Name = Annotated[str, Meta(min_length=1, max_length=500, pattern=PRINTABLE)]
Reason = Annotated[str, Meta(min_length=1, max_length=200, pattern=PRINTABLE)]
Money = Annotated[int, Meta(ge=0, le=10**12, description="Minor units of the currency")]
TOTAL_MAX = 2**53 - 1
"""Of an order, in minor units: beyond it a number in JSON is not the same number to everyone (RFC 8259 section 6)."""
LINES_SURE = 9
"""So many lines, of at most 1000 units at 10^12 each, cannot come to more than `TOTAL_MAX`."""
UNITS_SURE = 9_000
"""Nor can so many units, however many lines they are on."""
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}(?!\n)$", description="ISO 4217", extra=_checked(currency_problem))]
Moment = Annotated[datetime, Meta(tz=True)]
AcceptedAt = Annotated[str, Meta(extra_json_schema={"format": "date-time"}, description="The order store's clock")]
"""Milliseconds, the same text wherever an order is shown."""
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
"""What every store and every clock here can hold, whatever the offset it was written with."""
DEPTH_MAX = 64
"""How deep free JSON may be nested."""
EffectivePhase = Literal["scheduled", "open", "ended", "hold", "drain", "closed"]
PaymentStatus = Literal[
    "none", "due", "requires_action", "authorised", "captured", "partially_refunded", "refunded", "voided", "failed"
]
ShipmentStatus = Literal["shipped", "delivered", "lost"]
OrderStatus = Literal["accepted", "pending", "confirmed", "processing", "shipped", "delivered", "cancelled", "refunded"]


class _HasQuantity(Protocol):
    @property
    def quantity(self) -> int:
        """Return how many units."""


def is_total_sure(lines: Sequence[_HasQuantity]) -> bool:
    """Say whether the lines come to `TOTAL_MAX` at most, whatever their products cost."""
    return len(lines) <= LINES_SURE or sum([line.quantity for line in lines]) <= UNITS_SURE


def bounds_problem(value: object) -> str | None:
    """Say what is wrong with a time or with free JSON that somebody gives; the rest has its type's bounds."""
    if isinstance(value, datetime) and not EARLIEST <= value <= LATEST:
        return f"must be from {EARLIEST:%Y-%m-%d} to {LATEST:%Y-%m-%d}"
    return _json_problem(value) if isinstance(value, dict) else None


def _json_problem(whole: dict[str, Any]) -> str | None:
    """Look for what Postgres' jsonb or MessagePack cannot hold; without recursion, which depth could exhaust."""
    level: list[Any] = [whole]
    for _ in range(DEPTH_MAX):
        deeper: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                deeper += value.keys()
                deeper += value.values()
            elif isinstance(value, list):
                deeper += value
            elif isinstance(value, str) and "\x00" in value:
                return "must not hold a NUL character (U+0000)"
            elif isinstance(value, int | float) and not _fits(value):
                return "must not hold whole numbers beyond 64 bits"
        if not deeper:
            return None
        level = deeper
    return f"must not be nested deeper than {DEPTH_MAX}"


def _fits(number: int | float) -> bool:
    """Tell whether a number comes back as given: jsonb makes 1e20 a whole number, and rounds its lowest digits."""
    return -(2**63) < number < 2**64 or (isinstance(number, int) and number == -(2**63))


def check_of(wanted: Any) -> Callable[[str], str | None] | None:
    """Return the check that a type is marked with, also where it is optional."""
    for part in (wanted, *get_args(wanted)):
        for meta in getattr(part, "__metadata__", ()):
            if isinstance(meta, Meta) and meta.extra and "check" in meta.extra:
                found: Callable[[str], str | None] = meta.extra["check"]
                return found
    return None


@cache
def _checks_of(kind: type[Struct]) -> dict[str, Callable[[str], str | None]]:
    hints = get_type_hints(kind, include_extras=True)
    return {name: check for name in kind.__struct_fields__ if (check := check_of(hints[name])) is not None}


class Bounded(Struct, frozen=True):
    """Base of the bodies that are checked beyond their types: what no store can hold is refused where it is read."""

    def __post_init__(self) -> None:
        """Check every field.

        Raises:
            ValueError: one is out of bounds.
        """
        checks = _checks_of(type(self))
        for name in self.__struct_fields__:
            value = getattr(self, name)
            problem = checks[name](value) if name in checks and isinstance(value, str) else bounds_problem(value)
            if problem:
                raise ValueError(f"{name} {problem}")
