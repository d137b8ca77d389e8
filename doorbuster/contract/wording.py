"""Turns msgspec's words for a wrong value into words of JSON. Pure; what it does not know stays as it is."""

from __future__ import annotations

import re
from collections.abc import Callable

_NAMES = {
    "int": "a whole number", "float": "a number", "str": "text", "bool": "true or false", "array": "a list",
    "object": "an object", "null": "null", "datetime": "a time",
}  # fmt: skip
_SOMETHING = "Expected `(?:str|array|int|float)(?: \\| null)?` "
_BOUNDS = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}
_UNITS = {"str": "characters", "array": "items"}

_RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (re.compile("Expected `([^`]+)`, got `([^`]+)`"), lambda found: f"must be {_any(found[1])}, not {_any(found[2])}"),
    (
        re.compile("Expected `(str|array)(?: \\| null)?` of length (>=|<=) (\\d+)"),
        lambda found: f"must have {_BOUNDS[found[2]]} {found[3]} {_UNITS[found[1]]}",
    ),
    (
        re.compile(_SOMETHING + "matching regex .*", re.DOTALL),
        lambda _: "has characters that are not allowed, or not the form it must have",
    ),
    (re.compile(_SOMETHING + "(>=|<=|>|<) ([-\\d.e+]+)"), lambda found: f"must be {_BOUNDS[found[1]]} {found[2]}"),
    (re.compile("Invalid RFC3339 encoded datetime"), lambda _: "is no RFC 3339 time"),
    (re.compile("Expected `datetime.*` with a timezone component"), lambda _: "must say its offset from UTC, or Z"),
    (
        re.compile("Invalid enum value (.*)", re.DOTALL),
        lambda found: f"may not be {found[1]}",
    ),
)


def worded(text: str) -> str:
    """Return a problem in words of JSON."""
    for pattern, say in _RULES:
        if found := pattern.fullmatch(text):
            return say(found)
    return text


def _any(kinds: str) -> str:
    return " or ".join(_NAMES.get(kind, kind) for kind in kinds.split(" | "))
