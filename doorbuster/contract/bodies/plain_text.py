"""Decodes bodies of plain text with less to look for. Owns that shortcut; what is taken and refused is the types' own.

A pattern that keeps control characters and slashes out of one string is a search of its own in each. Where the whole
body has none, no string in it can have one, and it is decoded into a type that is the same but for these patterns.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

from doorbuster.contract.fields import PLAIN_ID, PRINTABLE

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T", bound=Struct)

_NEEDLESS = frozenset({PRINTABLE, PLAIN_ID})
_PLAIN = bytes(set(range(0x20, 0x7F)) - set(b"/\\"))
_KEPT = (
    "gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length", "tz", "title", "description", "examples",
    "extra_json_schema", "extra",
)  # fmt: skip


class PlainTextDecoder(Generic[T]):
    """A decoder of JSON bodies of one type."""

    def __init__(self, wanted: type[T]) -> None:
        self.type = wanted
        self._any: Callable[[bytes], T] = msgspec.json.Decoder(wanted).decode
        self._plain: Callable[[bytes], T] = msgspec.json.Decoder(without_patterns(wanted)).decode

    def decode(self, body: bytes, /) -> T:
        """Decode a body; what comes of it may be of a subclass of the type.

        Raises:
            msgspec.DecodeError, UnicodeDecodeError, RecursionError: it is no JSON, or not of the type.
        """
        return (self._plain if is_plain(body) else self._any)(body)


def is_plain(body: bytes) -> bool:
    """Say whether a body is printable ASCII without a slash either way, so that what it stands for is so, too."""
    return not body.translate(None, _PLAIN)  # which takes these out, in one go over the body


def without_patterns(wanted: type[T]) -> type[T]:
    """Return a subclass of a type whose strings, and those within it, are not held against what a plain body lacks."""
    hints = get_type_hints(wanted, include_extras=True)
    fields: list[Any] = []
    for field in msgspec.structs.fields(wanted):
        given = (field.name, _bare(hints[field.name]))
        if field.default is not msgspec.NODEFAULT:
            fields.append((*given, field.default))
        elif field.default_factory is not msgspec.NODEFAULT:
            fields.append((*given, msgspec.field(default_factory=field.default_factory)))
        else:
            fields.append(given)
    tracked = wanted.__struct_config__.gc  # which alone is not inherited
    made = msgspec.defstruct(wanted.__name__, fields, bases=(wanted,), module=wanted.__module__, gc=tracked)
    return cast("type[T]", made)


def _bare(hint: Any) -> Any:
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return Annotated[(_bare(inner[0]), *map(_without_pattern, inner[1:]))]
    if origin is tuple and inner[1:] == (...,):
        return tuple[_bare(inner[0]), ...]  # type: ignore[misc]
    if origin in (Union, UnionType):
        return reduce(or_, map(_bare, inner))
    return without_patterns(hint) if isinstance(hint, type) and issubclass(hint, Struct) else hint


def _without_pattern(meta: Any) -> Any:
    if not isinstance(meta, Meta) or meta.pattern not in _NEEDLESS:
        return meta
    return Meta(**{name: value for name in _KEPT if (value := getattr(meta, name)) is not None})
