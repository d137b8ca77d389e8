"""The options of `doorbuster sale create` and how they become the body of the ops call. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import click

from doorbuster.errors import InvalidError

_Command = TypeVar("_Command", bound=Callable[..., Any])

_TERMS = {"quantity": "quantity", "limit": "limit_per_customer", "limit_per_customer": "limit_per_customer"}
_TERMS["price"] = "price"
_ROOM_OPTIONS: dict[str, tuple[str, Any, str]] = {
    "mode": ("--room-mode", click.Choice(["off", "safety_net", "always"]), "When an order needs an admission."),
    "rate_per_s": ("--rate", float, "Most admissions a second."),
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


def read_product(text: str) -> dict[str, Any]:
    """Return a product of a sale from `ID[:quantity=N,limit=N,price=N]`.

    Raises:
        InvalidError: the terms cannot be read.
    """
    product_id, colon, tail = text.rpartition(":")
    if not colon or "=" not in tail:
        return {"product_id": text}
    product: dict[str, Any] = {"product_id": product_id}
    for term in tail.split(","):
        name, _, value = term.partition("=")
        if name not in _TERMS or not value.isdecimal():
            raise InvalidError(f"--product {text}: '{term}' is none of quantity=N, limit=N, price=N")
        product[_TERMS[name]] = int(value)
    return product


def read_body(text: str) -> dict[str, Any]:
    """Return a sale's body from a JSON text.

    Raises:
        InvalidError: it is no JSON object.
    """
    try:
        body = json.loads(text)
    except ValueError as error:
        raise InvalidError(f"--json: no JSON: {error}") from error
    if not isinstance(body, dict):
        raise InvalidError("--json: must be a JSON object")
    return body
