"""Reads request bodies into the contract's types and names every wrong field. Pure; never does I/O.

msgspec stops at the first mistake. The fast path lets it; only after a failure a second, slow pass collects them all.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import islice
from types import UnionType
from typing import Annotated, Any, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from doorbuster.contract.fields import bounds_problem, check_of
from doorbuster.contract.wording import worded
from doorbuster.errors import DoorbusterError, InvalidError

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

SAID_MAX = 20
"""Wrong fields that an error names: refusing a body must not cost more than taking one."""
ITEMS_MAX = 20
"""Items of a list that are looked at; as many lines an order may have."""


class MalformedError(DoorbusterError):
    """The bytes are no JSON."""

    code = "malformed"


class BodyDecoder(Protocol[T_co]):
    """What makes a body into a type."""

    @property
    def type(self) -> Any:
        """The type."""

    def decode(self, body: bytes, /) -> T_co:
        """Decode a body."""


def read(body: bytes, decoder: BodyDecoder[T]) -> T:
    """Decode a body.

    Raises:
        MalformedError: it is no JSON.
        InvalidError: it is JSON but not of the type; each wrong field is named.
    """
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise refusal_of(body, decoder.type, error) from error


def refusal_of(body: bytes, wanted: Any, error: Exception) -> DoorbusterError:
    """Return the error that says what is wrong with a body that did not decode."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as broken:
        return MalformedError(f"The body is no JSON: {broken}" if body else "The body is empty")
    fields = list(islice(problems(wanted, value, ""), SAID_MAX))
    return InvalidError.naming(fields or [("body", str(error))])


def problems(wanted: Any, value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield (field, problem) for everything in `value` that is not as `wanted` says."""
    plain = _plain(wanted)
    if isinstance(plain, type) and issubclass(plain, msgspec.Struct) and isinstance(value, dict):
        yield from _struct_problems(plain, value, path)
    elif get_origin(plain) in (list, tuple) and isinstance(value, list):
        yield from _own_problem(wanted, value, path, inner=True)
        for place, item in enumerate(value[:ITEMS_MAX]):
            yield from problems(get_args(plain)[0], item, f"{path}[{place}]")
    else:
        yield from _own_problem(wanted, value, path)


def _struct_problems(wanted: type[msgspec.Struct], value: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    fields = _fields(wanted)
    for name in value:
        if name not in fields:
            yield _join(path, name[:100]), "is not known here"
    for name, (hint, required) in fields.items():
        if name in value:
            yield from problems(hint, value[name], _join(path, name))
        elif required:
            yield _join(path, name), "is required"


@cache
def _fields(wanted: type[msgspec.Struct]) -> dict[str, tuple[Any, bool]]:
    """Return a struct's fields with their types and whether they are required, found out once: it takes time."""
    hints = get_type_hints(wanted, include_extras=True)
    return {field.name: (hints[field.name], field.required) for field in msgspec.structs.fields(wanted)}


def _own_problem(wanted: Any, value: Any, path: str, *, inner: bool = False) -> Iterator[tuple[str, str]]:
    try:
        # Strings stand for times in JSON; `strict` stays, numbers in strings are refused.
        converted = msgspec.convert(value, wanted)
    except msgspec.ValidationError as error:
        text, _, where = str(error).partition(" - at `$")
        if not (inner and where):  # a mistake inside an item is the item's own
            yield path or "body", worded(text)
    else:
        check = check_of(wanted) if isinstance(converted, str) else None
        if problem := check(converted) if check else bounds_problem(converted):
            yield path, problem


def _plain(wanted: Any) -> Any:
    """Return the type without its bounds and without None."""
    if get_origin(wanted) is Annotated:
        return _plain(get_args(wanted)[0])
    if get_origin(wanted) in (Union, UnionType):
        rest = [part for part in get_args(wanted) if part not in (type(None), msgspec.UnsetType)]
        return _plain(rest[0]) if len(rest) == 1 else wanted
    return wanted


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
