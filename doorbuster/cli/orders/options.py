"""Options of several commands about orders, and what they mean as parameters and bodies. Owns reading them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote

import click

from doorbuster.cli.times import read_time
from doorbuster.errors import InvalidError

F = TypeVar("F", bound=Callable[..., Any])
STATES = ("pending", "confirmed", "processing", "shipped", "delivered", "cancelled", "refunded")
_UNITS = re.compile(r"([0-9]{1,2})(?:[=:]([0-9]{1,4}))?")


def filters(command: F) -> F:
    """Add the options that choose orders."""
    for option in (
        click.option("--to", "until", metavar="TIME", help="Accepted before."),
        click.option("--from", "since", metavar="TIME", help="Accepted then or later."),
        click.option("--reason", help="Cancelled or waiting for this reason."),
        click.option("--status", type=click.Choice(STATES), help="In this state."),
        click.option("--sale", "sale_id", metavar="ID", help="Of this sale."),
    ):
        command = option(command)
    return command


def params_of(given: dict[str, str | None]) -> dict[str, str]:
    """Return the parameters of what was chosen.

    Raises:
        InvalidError: a value is empty, which would choose all.
    """
    asked = {"sale": given["sale_id"], "status": given["status"], "reason": given["reason"]}
    asked |= {"from": _time(given["since"], "--from"), "to": _time(given["until"], "--to")}
    if empty := [name for name, value in asked.items() if value == ""]:
        raise InvalidError("nothing is named", [(f"--{name}", "is empty") for name in empty])
    return {name: value for name, value in asked.items() if value is not None}


def _time(text: str | None, option: str) -> str | None:
    return None if text is None else read_time(text, option)


lines = click.option(
    "--line",
    "named",
    multiple=True,
    metavar="LINE[=UNITS]",
    help="This line of the order, or so many units of it; again for more.",
)
reason = click.option("--reason", help="Why; noted in the order's history.")


def units_of(
    named: tuple[str, ...], order: Callable[[], dict[str, Any]], left: Callable[[dict[str, Any]], int]
) -> list[dict[str, int]] | None:
    """Return the units that were named, None where none were; of a line alone, as many as `left` says are left of it.

    Raises:
        InvalidError: that is no line, or nothing is left of it.
    """
    if not named:
        return None
    found: list[dict[str, int]] = []
    for text in named:
        parts = _UNITS.fullmatch(text)
        if parts is None:
            raise InvalidError(f"--line: {text!r} is no line; write it like 1 or 1=2, two units of the first")
        line = int(parts[1])
        quantity = int(parts[2]) if parts[2] else _left(line, order(), left)
        found.append({"line": line, "quantity": quantity})
    return found


def _left(line: int, order: dict[str, Any], left: Callable[[dict[str, Any]], int]) -> int:
    for one in order["lines"]:
        if one["line"] == line:
            if (units := left(one)) > 0:
                return units
            raise InvalidError(f"--line: nothing is left of line {line}")
    raise InvalidError(f"--line: the order has no line {line}")


def order_path(order_id: str, step: str = "") -> str:
    """Return where an order is in the ops API."""
    return f"/ops/orders/{quote(order_id, safe='')}{f'/{step}' if step else ''}"
