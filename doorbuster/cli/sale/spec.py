"""The options of `doorbuster sale create` and `set` and how they become the body of the ops call. Reads files alone."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Callable
from datetime import date, time
from pathlib import Path
from typing import Any, TypeVar

import click

from doorbuster.cli.options import Number
from doorbuster.cli.sale.plan import body_from
from doorbuster.cli.times import read_time
from doorbuster.errors import InvalidError

_Command = TypeVar("_Command", bound=Callable[..., Any])

_TERMS = {"quantity": "quantity", "limit": "limit_per_customer", "limit_per_customer": "limit_per_customer"}
_TERMS |= {name: name for name in ("price", "limit_email", "limit_card", "limit_address", "limit_device")}
_ROOM_OPTIONS: dict[str, tuple[str, Any, str]] = {
    "mode": ("--room-mode", click.Choice(["off", "safety_net", "always"]), "When an order needs an admission."),
    "rate_per_s": ("--rate", Number(), "Most admissions a second."),
    "burst": ("--burst", int, "Admissions an idle room may save up."),
    "max_active": ("--max-active", int, "Most admissions out at once."),
    "grace_s": ("--grace-s", int, "How long a place that is reached waits for its visitor."),
    "admission_s": ("--admission-s", int, "Life of an admission."),
    "orders_allowed": ("--orders-allowed", int, "Orders an admission pays for."),
    "lobby_opens_at": ("--lobby-opens-at", str, "RFC 3339: from when visitors register; drawn by lot at the start."),
    "one_per_customer": ("--one-per-customer", bool, "Whether a customer has one place, on whatever devices."),
    "challenge": ("--challenge", click.Choice(["none", "proof_of_work", "verifier"]), "What joining asks for."),
    "on_store_failure": ("--on-store-failure", click.Choice(["closed", "open"]), "While the room's store is away."),
    "message": ("--message", str, "Shown to all who wait."),
}
"""Field of a sale's room -> its option."""
_ROOM = "room_"
FILE_MAX = 8 * 2**20
"""Characters of a sale's file: many times what a sale can be; what is longer is another file, or never ends."""
_DEEP = "it is nested too deep"


def room_options(command: _Command) -> _Command:
    """Add the options of a sale's waiting room to a command."""
    for field, (flag, kind, text) in reversed(_ROOM_OPTIONS.items()):
        command = click.option(flag, f"{_ROOM}{field}", type=kind, help=text)(command)
    return command


def split_room(given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the terms of the sale and those of its room."""
    room = {name.removeprefix(_ROOM): value for name, value in given.items() if name.startswith(_ROOM)}
    terms = {name: value for name, value in given.items() if not name.startswith(_ROOM)}
    return terms, room


def terms_options(command: _Command) -> _Command:
    """Add the options that making and changing a sale share."""
    add = (
        click.option("--file", "file", type=click.Path(path_type=Path, allow_dash=True, dir_okay=False),
                     help="The whole body: sale.json or sale.toml, - for stdin; options go before it."),
        click.option("--product", "products", multiple=True, metavar="ID[:quantity=N,limit=N,price=N]",
                     help="Again for more; also limit_email=N, limit_card=N, limit_address=N, limit_device=N."),
        click.option("--name"),
        click.option("--starts-at", help="RFC 3339 with a time zone."),
        click.option("--ends-at", help="RFC 3339 with a time zone, or never."),
        click.option("--hold-s", type=int, help="How long a reservation waits for its payment."),
        click.option("--payment", type=click.Choice(["capture", "authorise", "none"]),
                     help="When money is taken: at the confirmation, at shipping, or never."),
        click.option("--hold-extension-s", type=int, help="How much longer a shopper who must act has, once."),
        click.option("--standby-max", type=int, help="Most orders that may wait for units to come back."),
    )  # fmt: skip
    for one in reversed(add):
        command = one(command)
    return command


def body_of(file: Path | None, given: dict[str, Any]) -> dict[str, Any]:
    """Return the body that a file and the options make; times checked, a room's options under `room`."""
    body = body_from(read_file(file)) if file else {}
    terms, room = split_room({name: value for name, value in given.items() if value is not None})
    for name in ("starts_at", "ends_at"):
        if name in terms:
            terms[name] = _time(terms[name], f"--{name.replace('_', '-')}", may_be_never=name == "ends_at")
    if "lobby_opens_at" in room:
        room["lobby_opens_at"] = read_time(room["lobby_opens_at"], "--lobby-opens-at")
    if room:
        given_room = body.get("room") or {}
        if not isinstance(given_room, dict):
            raise InvalidError("room", [("room", "must be an object")])
        body["room"] = given_room | room
    return body | terms


def _time(text: str, option: str, *, may_be_never: bool) -> str | None:
    return None if may_be_never and text == "never" else read_time(text, option)


def read_file(path: Path) -> dict[str, Any]:
    """Return a sale's body from a JSON or TOML file, or from either on stdin.

    Raises:
        InvalidError: it cannot be read, or is no object.
    """
    try:
        if str(path) == "-":
            text = sys.stdin.read(FILE_MAX + 1)
        else:
            with path.open(encoding="utf-8-sig") as file:
                text = file.read(FILE_MAX + 1)
    except FileNotFoundError as error:
        raise InvalidError(f"--file: there is no file {path}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidError(f"--file: cannot read {path}: {error}") from error
    if len(text) > FILE_MAX:
        raise InvalidError(f"--file: {path} has more than {FILE_MAX:,} characters: that is no sale")
    if path.suffix == ".toml" or (str(path) == "-" and not text.lstrip().startswith("{")):
        return _read_toml(text, path)
    return read_body(text)


def _read_toml(text: str, path: Path) -> dict[str, Any]:
    try:
        body: dict[str, Any] = json.loads(json.dumps(tomllib.loads(text), default=_toml_value))
    except RecursionError as error:
        raise InvalidError(f"--file: no TOML: {_DEEP}") from error
    except ValueError as error:
        raise InvalidError(f"--file: {'stdin' if str(path) == '-' else path} is no TOML: {error}") from error
    return body


def _toml_value(value: object) -> str:
    if isinstance(value, date | time):
        return value.isoformat()
    raise InvalidError(f"--file: {value!r} cannot stand in a sale")


def merge_products(
    now: list[dict[str, Any]], wanted: tuple[str, ...], dropped: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Return a sale's products with the terms of `wanted` changed or added and `dropped` left out.

    Raises:
        InvalidError: the sale has no product that is to be left out.
    """
    merged = {one["product_id"]: one for one in now}
    for product_id in dropped:
        if merged.pop(product_id, None) is None:
            raise InvalidError(f"--drop: the sale has no product {product_id!r}")
    for text in wanted:
        product = read_product(text)
        merged[product["product_id"]] = _with_terms(merged.get(product["product_id"], {}), product)
    return list(merged.values())


def _with_terms(before: dict[str, Any], named: dict[str, Any]) -> dict[str, Any]:
    """Return a product's terms with those named; the limit of a customer has two names, which must agree."""
    limits = (before.get("limits") or {}) | (named.get("limits") or {})
    if "limit_per_customer" in named:
        limits.pop("customer", None)
    return before | named | ({"limits": limits or None} if "limits" in before or limits else {})


def read_product(text: str) -> dict[str, Any]:
    """Return a product of a sale from `ID[:quantity=N,limit=N,price=N,...]`; `none` takes a term away.

    Raises:
        InvalidError: the terms cannot be read.
    """
    product_id, colon, tail = text.rpartition(":")
    if not colon or "=" not in tail:
        return {"product_id": text}
    product: dict[str, Any] = {"product_id": product_id}
    named: set[str] = set()
    for term in tail.split(","):
        name, _, value = term.partition("=")
        if (meant := _TERMS.get(name, name)) in named:
            raise InvalidError(f"--product {text}: {name} stands twice")
        named.add(meant)
        if name not in _TERMS or not (value == "none" or (value.isascii() and value.isdecimal() and len(value) < 16)):
            raise InvalidError(
                f"--product {text}: '{term}' is none of quantity=N, limit=N, price=N, limit_email=N, ..."
            )
        units = None if value == "none" else int(value)
        if name.startswith("limit_") and name != "limit_per_customer":
            product.setdefault("limits", {})[name.removeprefix("limit_")] = units
        else:
            product[_TERMS[name]] = units
    return product


def read_body(text: str) -> dict[str, Any]:
    """Return a sale's body from a JSON text.

    Raises:
        InvalidError: it is no JSON object.
    """
    try:
        body = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except RecursionError as error:
        raise InvalidError(f"--file: no JSON: {_DEEP}") from error
    except ValueError as error:
        raise InvalidError(f"--file: no JSON: {error}") from error
    if not isinstance(body, dict):
        raise InvalidError("--file: must be a JSON object")
    return body


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of a JSON text; of a field that stands twice nobody knows which one is meant."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise InvalidError(f"--file: {name!r} stands twice in an object")
        found[name] = value
    return found


def _no_constant(text: str) -> float:
    raise InvalidError(f"--file: {text} is no number of JSON")
