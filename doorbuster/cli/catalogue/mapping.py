"""Turns a record of someone's catalogue file into a product of ours. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from db.products.importing import row_of
from db.products.products import ImportRow
from doorbuster.cli.catalogue.presets.preset import Preset, Skipped
from doorbuster.contract.bodies.decoding import SAID_MAX, problems
from doorbuster.contract.fields import tidy_id
from doorbuster.contract.products import ProductLine
from doorbuster.errors import InvalidError
from doorbuster.values.prices import PriceError, Unit, read_price, read_whole, shown

OURS = frozenset(field.name for field in msgspec.structs.fields(ProductLine))
REQUIRED = tuple(field.name for field in msgspec.structs.fields(ProductLine) if field.required)
NOTES = ("import_lines", "import_problem")
"""What a file of bad lines says beside each of them: left out when it is imported in its turn."""
_TRUTH = {
    "true": True, "1": True, "yes": True, "y": True, "on": True,
    "false": False, "0": False, "no": False, "n": False, "off": False,
}  # fmt: skip
_REMEDIES = {
    "product_id": "an id has 1 to 64 characters, no slash and no line's end",
    "name": "a name has 1 to 500 characters in one line",
    "brand": "a brand has at most 200 characters in one line",
    "category": "a category has at most 200 characters in one line",
    "description": "a description has at most 10,000 characters",
    "active": "write true or false",
    "attributes": 'write a JSON object, like {"colour": "red"}',
    "stock": "write a whole number of units",
}


class Columns(NamedTuple):
    """Which of their columns is which of ours, and what stands where they have nothing."""

    columns: Mapping[str, str]
    """Theirs -> ours; an empty one of ours drops the column."""
    defaults: Mapping[str, str]
    unit: Unit | None = None
    """What prices are in; None: nobody said, then a price in minor units."""
    preset: Preset | None = None


def parse_pairs(option: str, pairs: tuple[str, ...]) -> dict[str, str]:
    """Return `a=b` pairs as a dictionary.

    Raises:
        InvalidError: one is no pair, or a name is given twice; every wrong one is named.
    """
    wrong = [
        (option, f"{shown(pair)} is not of the form a=b")
        for pair in pairs
        if not pair.partition("=")[0] or "=" not in pair
    ]
    wrong += [(option, f"{shown(pair)} is not UTF-8") for pair in pairs if not _is_utf_8(pair)]
    names = Counter(pair.partition("=")[0] for pair in pairs)
    wrong += [(option, f"'{name}' is given twice") for name, times in names.items() if times > 1]
    if wrong:
        raise InvalidError("not a pair", wrong)
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}


def make_mapping(
    maps: tuple[str, ...], defaults: tuple[str, ...], unit: Unit | None = None, preset: Preset | None = None
) -> Columns:
    """Return the mapping that the options describe.

    Raises:
        InvalidError: a field is not one of ours, or two columns are mapped to the same.
    """
    columns, given = parse_pairs("--map", maps), parse_pairs("--default", defaults)
    targets = [ours for ours in columns.values() if ours]
    wrong = [("--map", f"'{ours}' is no field of a product") for ours in targets if ours not in OURS]
    wrong += [("--map", f"'{ours}' is given twice") for ours in sorted({t for t in targets if targets.count(t) > 1})]
    wrong += [("--default", f"'{name}' is no field of a product") for name in given if name not in OURS]
    if wrong:
        raise InvalidError("wrong mapping", wrong)
    return Columns(columns, given, unit or (preset and "major") or None, preset)


def price_of(record: dict[str, Any], mapping: Columns) -> Any:
    """Return what stands for the price in a record."""
    theirs = next((theirs for theirs, ours in mapping.columns.items() if ours == "price"), "price")
    price = record.get(theirs)
    return mapping.defaults.get("price") if price is None or price == "" else price


def to_row(number: int, record: dict[str, Any], mapping: Columns, *, cells: bool = False) -> ImportRow | Skipped:
    """Return the record as a row to import, or what kind of row it is that stands for no product.

    `cells`: the values are texts, and an empty one says nothing, but for a description, which it empties.

    Raises:
        InvalidError: with every wrong field.
    """
    value = _fields(record, mapping, cells=cells)
    if isinstance(value, Skipped):
        return value
    for name, default in mapping.defaults.items():
        if value.get(name) is None:
            value[name] = default
    wrong = _read_text(value, mapping.unit or "minor")
    return row_of(number, _checked(value, wrong))


def _fields(record: dict[str, Any], mapping: Columns, *, cells: bool) -> dict[str, Any] | Skipped:
    record = {name: content for name, content in record.items() if name not in NOTES}
    if mapping.preset is None:
        return _renamed(record, mapping, cells=cells)
    value = mapping.preset.read({name: cell for name, cell in record.items() if mapping.columns.get(name) != ""})
    if not isinstance(value, Skipped):
        value |= {ours: record[theirs] for theirs, ours in mapping.columns.items() if ours and record.get(theirs)}
    return value


def _renamed(record: dict[str, Any], mapping: Columns, *, cells: bool) -> dict[str, Any]:
    """Give every column its name; with a mapping, what it does not name and we do not know becomes an attribute."""
    value: dict[str, Any] = {}
    rest: dict[str, Any] | None = None
    taken = frozenset(mapping.columns.values())
    for theirs, content in record.items():
        empty = cells and content == ""
        ours = mapping.columns.get(theirs)
        if ours is None:
            if mapping.columns and (theirs not in OURS or theirs in taken):
                rest = {} if rest is None else rest
                if not empty:
                    rest[theirs] = content
                continue
            ours = theirs
        if not ours:
            continue
        if not empty:
            value[ours] = content
        elif ours == "description":
            value[ours] = None
    if rest is not None and isinstance(value.setdefault("attributes", {}), dict):
        value["attributes"] = rest | value["attributes"]
    return value


def _read_text(value: dict[str, Any], unit: Unit) -> dict[str, str]:
    """Read numbers, truth, ids and attributes out of texts; what cannot be read stays. Return what is wrong so far."""
    wrong = {}
    if isinstance(currency := value.get("currency"), str):
        currency = value["currency"] = currency.strip()
    price = value.get("price")
    if isinstance(price, str | int | float) and not isinstance(price, bool):
        try:
            value["price"], found = read_price(price, currency if isinstance(currency, str) else None, unit)
            if found and currency is None:
                value["currency"] = found
        except PriceError as error:
            wrong["price"] = str(error)
    if isinstance(product_id := value.get("product_id"), str):
        value["product_id"] = tidy_id(product_id)
    stock, active, attributes = value.get("stock"), value.get("active"), value.get("attributes")
    if isinstance(stock, str | float) and (whole := read_whole(str(stock))) is not None:
        value["stock"] = whole
    if isinstance(active, str):
        value["active"] = _TRUTH.get(active.strip().lower(), active)
    if isinstance(attributes, str):
        try:
            value["attributes"] = msgspec.json.decode(attributes)
        except (msgspec.DecodeError, RecursionError, ValueError) as error:
            wrong["attributes"] = f"{shown(attributes)} is no JSON: {error}"
    return wrong


def _checked(value: dict[str, Any], wrong: dict[str, str]) -> ProductLine:
    try:
        if not wrong:
            return msgspec.convert(value, ProductLine)
    except (msgspec.ValidationError, RecursionError):
        pass  # said below, field by field
    said = [(name, _with_remedy(name, problem, value)) for name, problem in _problems(value) if name not in wrong]
    named = [*wrong.items(), *said] or [("line", "cannot be read")]
    more = [("line", f"{len(named) - SAID_MAX} more problems")] if len(named) > SAID_MAX else []
    raise InvalidError.naming(named[:SAID_MAX] + more)


def _problems(value: dict[str, Any]) -> list[tuple[str, str]]:
    try:
        return list(problems(ProductLine, value, ""))
    except RecursionError:
        return [("attributes", "are nested too deep")]


def _with_remedy(field: str, problem: str, value: dict[str, Any]) -> str:
    if problem == "is required":
        return f"{problem}; --default {field}=VALUE stands in where a line has none"
    if field not in OURS:
        return f"{problem}; --map {field}= leaves it out, --map {field}=FIELD takes it"
    if field == "currency" and isinstance(value[field], str):
        return f"{shown(value[field])} is no currency of ISO 4217; write its code in capitals, like EUR"
    remedy = f"; {_REMEDIES[field]}" if field in _REMEDIES else ""
    return f"{problem}: {shown(value.get(field))}{remedy}"


def _is_utf_8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
