"""Turns a record of someone's catalogue file into a product of ours. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from db.products import ImportRow, Product
from doorbuster.contract import ProductLine
from doorbuster.errors import InvalidError
from doorbuster.reading import problems

_OURS = frozenset(field.name for field in msgspec.structs.fields(ProductLine))
_NUMBERS = ("price", "stock")
_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


class Columns(NamedTuple):
    """Which of their columns is which of ours, and what stands where they have nothing."""

    columns: Mapping[str, str]
    """Theirs -> ours; an empty one of ours drops the column."""
    defaults: Mapping[str, str]


def parse_pairs(option: str, pairs: tuple[str, ...]) -> dict[str, str]:
    """Return `a=b` pairs as a dictionary.

    Raises:
        InvalidError: one is no pair; every wrong one is named.
    """
    wrong = [pair for pair in pairs if not pair.partition("=")[0] or "=" not in pair]
    if wrong:
        raise InvalidError("not a pair", [(option, f"'{pair}' is not of the form a=b") for pair in wrong])
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}


def make_mapping(maps: tuple[str, ...], defaults: tuple[str, ...]) -> Columns:
    """Return the mapping that the options describe.

    Raises:
        InvalidError: a field is not one of ours, or two columns are mapped to the same.
    """
    columns, given = parse_pairs("--map", maps), parse_pairs("--default", defaults)
    targets = [ours for ours in columns.values() if ours]
    wrong = [("--map", f"'{ours}' is no field of a product") for ours in targets if ours not in _OURS]
    wrong += [("--map", f"'{ours}' is given twice") for ours in sorted({t for t in targets if targets.count(t) > 1})]
    wrong += [("--default", f"'{name}' is no field of a product") for name in given if name not in _OURS]
    if wrong:
        raise InvalidError("wrong mapping", wrong)
    return Columns(columns, given)


def to_row(number: int, record: dict[str, Any], mapping: Columns) -> ImportRow:
    """Return the record as a row to import.

    Raises:
        InvalidError: with every wrong field.
    """
    value = _renamed(record, mapping)
    for name, default in mapping.defaults.items():
        value.setdefault(name, default)
    _read_text(value)
    line = _checked(value)
    fields = msgspec.structs.asdict(line)
    stock = fields.pop("stock")
    return ImportRow(number, Product(**fields), stock)


def _checked(value: dict[str, Any]) -> ProductLine:
    try:
        return msgspec.convert(value, ProductLine)
    except msgspec.ValidationError as error:
        wrong = list(problems(ProductLine, value, "")) or [("line", str(error))]
        raise InvalidError.naming(wrong) from error


def _renamed(record: dict[str, Any], mapping: Columns) -> dict[str, Any]:
    """Give every column its name; with a mapping, what it does not name and we do not know becomes an attribute."""
    if not mapping.columns:
        return dict(record)
    value: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    taken = frozenset(mapping.columns.values())
    for theirs, content in record.items():
        ours = mapping.columns.get(theirs)
        if ours:
            value[ours] = content
        elif ours is None:
            (value if theirs in _OURS and theirs not in taken else rest)[theirs] = content
    if rest and isinstance(value.setdefault("attributes", {}), dict):
        value["attributes"] = rest | value["attributes"]
    return value


def _read_text(value: dict[str, Any]) -> None:
    """Read numbers, truth and attributes out of texts, as CSV and defaults have them; what cannot be read stays."""
    for name in _NUMBERS:
        text = value.get(name)
        if isinstance(text, str) and text.strip().removeprefix("-").isdecimal():
            value[name] = int(text)
    active, attributes = value.get("active"), value.get("attributes")
    if isinstance(active, str):
        value["active"] = _TRUTH.get(active.strip().lower(), active)
    if isinstance(attributes, str):
        try:
            value["attributes"] = msgspec.json.decode(attributes)
        except msgspec.DecodeError:
            return
