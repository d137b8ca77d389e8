"""What can be sent to the API at all: numbers that are numbers, text that is UTF-8. Owns that check; sends nothing.

A shell hands over any bytes, and files and options name `nan`: each is told by its field, before anything is done.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from doorbuster.errors import InvalidError


def check_sendable(body: object) -> None:
    """Check a body or the parameters of a call.

    Raises:
        InvalidError: naming each field that cannot be sent.
    """
    if wrong := list(_wrong(body, "")):
        raise InvalidError("cannot be sent", wrong)


def header(text: str, name: str) -> bytes:
    """Return text as it stands in a header.

    Raises:
        InvalidError: it has characters that none may have.
    """
    if not text.isprintable():
        raise InvalidError(f"{name}: has characters that are not printable, or no UTF-8")
    return text.encode()


def _wrong(value: object, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _wrong(key, name or "a field's name")
            yield from _wrong(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        for place, item in enumerate(value):
            yield from _wrong(item, f"{name}[{place}]")
    elif isinstance(value, float) and not math.isfinite(value):
        yield name, "must be a number"
    elif isinstance(value, str) and not _is_utf8(value):
        yield name.encode(errors="replace").decode(), "is no UTF-8"


def _is_utf8(text: str) -> bool:
    return not any("\ud800" <= sign <= "\udfff" for sign in text)
