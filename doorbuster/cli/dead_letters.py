"""`doorbuster dead-letters ...`: what could not be done and needs somebody. Owns the words; the API decides."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from doorbuster.cli import options
from doorbuster.cli.answer import as_json as json_option
from doorbuster.cli.answer import confirm, plain, print_json, table
from doorbuster.cli.answer import yes as yes_option
from doorbuster.cli.group import Commands
from doorbuster.cli.ops import call, pages
from doorbuster.cli.times import show_time
from doorbuster.embedded.data.instance import find

KINDS = ("order", "delivery", "payment")
"""Accepted entries that could not become orders, deliveries to a webhook, what a payment provider refused for good."""
STATES = ("open", "retried", "resolved", "discarded", "all")
_HEAD = ("id", "kind", "state", "about", "reason", "failed", "times", "last")
_LAST_MAX = 60


@click.group("dead-letters", cls=Commands)
def dead_letters() -> None:
    """List, show, retry and discard what could not be done: orders, deliveries, payments."""


@dead_letters.command("list")
@click.option("--kind", type=click.Choice(KINDS), help="Of this kind alone.")
@click.option("--sale", "sale_id", metavar="ID", help="Of this sale.")
@click.option("--customer", metavar="ID", help="Of this customer.")
@click.option("--state", type=click.Choice(STATES), help="In this state; by default those that need somebody.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@json_option
@options.data
def list_letters(limit: int, data: Path | None, *, as_json: bool, **given: str | None) -> None:
    """List dead letters, newest first: those that need somebody."""
    given["sale"] = given.pop("sale_id")
    asked = {name: value for name, value in given.items() if value} | {"limit": str(min(limit, 500))}
    found = list(islice(pages(find(data), "/ops/dead-letters", asked), limit))
    if as_json:
        print_json(found)
        return
    click.echo(table(_HEAD, [_row(one) for one in found]) if found else "no dead letters")


@dead_letters.command()
@click.argument("letter_id")
@json_option
@options.data
def show(letter_id: str, data: Path | None, *, as_json: bool) -> None:
    """Show a dead letter: what it is about and why it is one."""
    found = call(find(data), "GET", _path(letter_id))
    print_json(found) if as_json else click.echo(_page(found))


@dead_letters.command()
@click.argument("letter_id")
@json_option
@options.data
def retry(letter_id: str, data: Path | None, *, as_json: bool) -> None:
    """Try once more what a dead letter is about; if it fails again it stays one."""
    answer = call(find(data), "POST", _path(letter_id, "retry"))
    print_json(answer) if as_json else click.echo(f"the dead letter {plain(letter_id)} is tried again")


@dead_letters.command()
@click.argument("letter_id")
@click.option("--reason", required=True, help="Why; of an order its customer is shown it.")
@yes_option
@json_option
@options.data
def discard(letter_id: str, reason: str, data: Path | None, *, yes: bool, as_json: bool) -> None:
    """Give up for good what a dead letter is about; takes an admin's key."""
    instance = find(data)
    found = call(instance, "GET", _path(letter_id))
    confirm(f"Discard the dead letter {plain(letter_id)} ({plain(_about(found))}) for good?", yes=yes)
    answer = call(instance, "POST", _path(letter_id, "discard"), body={"reason": reason})
    print_json(answer) if as_json else click.echo(f"the dead letter {plain(letter_id)} is discarded")


def _path(letter_id: str, step: str = "") -> str:
    return f"/ops/dead-letters/{quote(letter_id, safe='')}{f'/{step}' if step else ''}"


def _row(letter: dict[str, Any]) -> tuple[object, ...]:
    last = str(letter.get("detail") or "")
    return (
        str(letter["dead_letter_id"]), letter["kind"], letter["state"], _about(letter), letter.get("reason") or "-",
        show_time(letter.get("failed_at")), letter.get("failures"),
        last if len(last) <= _LAST_MAX else f"{last[:_LAST_MAX]} ...",
    )  # fmt: skip


def _about(letter: dict[str, Any]) -> str:
    """Return what a dead letter is about in a few words, whatever its kind names."""
    named = ["webhook " + str(letter["webhook_id"])] if letter.get("webhook_id") else []
    named += [
        str(letter[name]) for name in ("operation", "type", "sale_id", "customer_id", "order_id") if letter.get(name)
    ]
    return " ".join(named) or "-"


def _page(letter: dict[str, Any]) -> str:
    facts = {name: value for name, value in letter.items() if not isinstance(value, dict | list) and value is not None}
    shown = {name: show_time(value) if name.endswith("_at") else value for name, value in facts.items()}
    width = max(map(len, shown))
    parts = ["\n".join(f"{name:<{width}}  {plain(value)}" for name, value in shown.items())]
    if letter.get("lines"):
        rows = [(one.get("product_id"), one.get("quantity")) for one in letter["lines"]]
        parts.append(table(("product", "units"), rows))
    return "\n\n".join(parts)
