"""Checks a catalogue file before anything of it is imported: its header, its prices. Pure but for reading."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from contextlib import suppress
from difflib import get_close_matches

from doorbuster.cli.catalogue.file import CatalogueFile
from doorbuster.cli.catalogue.mapping import NOTES, OURS, REQUIRED, Columns, price_of
from doorbuster.cli.catalogue.presets import PRESETS
from doorbuster.errors import InvalidError
from doorbuster.values.prices import has_decimals, shown

_SAID_MAX = 20
_NAMES_MAX, _NAME_MAX = 500, 100
"""Names of JSON's fields that are compared, and how long one is at most."""
_TELLING = frozenset({"product_id", "name", "brand", "category", "price"})
"""Fields whose columns, all of them there, show whose export a file is."""


def check_header(header: list[str], mapping: Columns) -> None:
    """Compare a header with what the options say of it.

    Raises:
        InvalidError: a column that they name is not there, a field has no column, or a column is no field.
    """
    wrong = [_no_column(theirs, header) for theirs in mapping.columns if theirs not in header]
    given = {*mapping.columns.values(), *mapping.defaults}
    if mapping.preset is not None:
        missing = mapping.preset.missing(header)
        needed = {
            ours: theirs for ours, theirs in missing.items() if ours in REQUIRED and ours not in ("brand", "category")
        }
        wrong += [
            f"{_no_column(theirs, header)} (--preset {mapping.preset.name} takes {ours} from it)"
            for ours, theirs in needed.items()
            if ours not in given
        ]
        if not mapping.preset.currency_in_price and "currency" not in given:
            wrong.append(f"{mapping.preset.name} exports name no currency; give --default currency=EUR, or what it is")
    else:
        wrong += _unknown(header, mapping) + _without(header, given, mapping)
    if wrong:
        raise InvalidError("the header does not fit", [("header", problem) for problem in wrong])


def _no_column(name: str, header: Iterable[str], what: str = "column") -> str:
    return f"no {what} {shown(name)}" + _perhaps(name, header).replace(" (", "; ").removesuffix(")")


def _perhaps(name: str, known: Iterable[str]) -> str:
    by_small = {one.casefold(): one for one in known if one}
    close = get_close_matches(name.casefold(), list(by_small)[:500], n=1, cutoff=0.6)
    return f" (did you mean {by_small[close[0]]!r}?)" if close else ""


def _unknown(header: list[str], mapping: Columns) -> list[str]:
    if mapping.columns:
        return []  # they become attributes
    unknown = [name for name in header if name and name not in OURS and name not in NOTES]
    if not unknown:
        return []
    known = ", ".join(f"{shown(name)}{_perhaps(name, OURS)}" for name in unknown[:_SAID_MAX])
    more = f" and {len(unknown) - _SAID_MAX} more" if len(unknown) > _SAID_MAX else ""
    said = [
        f"not known here: {known}{more}",
        "--map COLUMN=FIELD takes a column as a field, --map COLUMN= leaves it out;"
        " with any --map the columns left over become attributes",
    ]
    likely = next((name for name, preset in PRESETS.items() if not preset().missing(header).keys() & _TELLING), None)
    return [*said, f"these look like {likely}'s columns: try --preset {likely}"] if likely else said


def _without(header: list[str], given: set[str], mapping: Columns) -> list[str]:
    dropped = {theirs for theirs, ours in mapping.columns.items() if ours != theirs}
    there = given | (set(header) - dropped)
    free = set(header) - set(mapping.columns)
    missing = [
        f"{field}{_perhaps(field, free)}"
        for field in REQUIRED
        if field not in there and not (field == "currency" and mapping.unit == "major")
    ]
    if not missing:
        return []
    return [f"no column for {', '.join(missing)}; --map COLUMN=FIELD names one, --default FIELD=VALUE does without"]


def check_lines(file: CatalogueFile, mapping: Columns) -> None:
    """Read a file once for what only the whole of it tells.

    Raises:
        InvalidError: prices have decimals and nobody said what they are in: then all of them are in major units, also
            those that have none; or no line has a field that the options name for a required one.
    """
    unseen = set() if file.kind == "csv" else {theirs for theirs, ours in mapping.columns.items() if ours in REQUIRED}
    if mapping.unit is not None and not unseen:
        return
    prices, found, first = 0, 0, ""
    names: set[str] = set()
    with suppress(OSError, EOFError, zlib.error):  # a broken file is told when it is imported
        for line in file.lines():
            if line.record is None:
                continue
            unseen.difference_update(line.record)
            if unseen and len(names) < _NAMES_MAX:
                names.update(name for name in line.record if len(name) <= _NAME_MAX)
            price = price_of(line.record, mapping)
            prices += price is not None
            if mapping.unit is None and has_decimals(price):
                found += 1
                first = first or f"line {line.number}: {shown(price)}"
    if names and unseen:
        raise InvalidError("fields are missing", [("lines", _no_column(one, names, "field")) for one in sorted(unseen)])
    if found:
        raise InvalidError("prices have decimals", _decimals(found, prices, first))


def _decimals(found: int, prices: int, first: str) -> list[tuple[str, str]]:
    return [
        ("price", f"{found:,} of {prices:,} prices have decimals, the first in {first}; nothing was imported"),
        ("price", "say --price-unit major if they are in whole EUR or USD (19.99), as shops export them,"),
        ("price", "or --price-unit minor if they are in cents (1999); then those with decimals are refused"),
    ]
