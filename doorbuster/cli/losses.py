"""`doorbuster losses ...`: times that the order store came back without its end. Owns the words; the API decides."""

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

STATES = ("open", "settled", "acknowledged", "all")
_HEAD = ("id", "state", "sale", "part", "at", "orders lost", "more?", "intakes", "known to")


@click.group("losses", cls=Commands)
def losses() -> None:
    """List, show and acknowledge losses: times that the order store came back without its end."""


@losses.command("list")
@click.option("--sale", "sale_id", metavar="ID", help="Of this sale.")
@click.option("--state", type=click.Choice(STATES), help="In this state; by default those that need somebody.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@json_option
@options.data
def list_losses(sale_id: str | None, state: str | None, limit: int, data: Path | None, *, as_json: bool) -> None:
    """List losses, newest first: those that need somebody."""
    named = {"sale": sale_id, "state": state}
    asked = {name: value for name, value in named.items() if value} | {"limit": str(min(limit, 500))}
    found = list(islice(pages(find(data), "/ops/losses", asked), limit))
    if as_json:
        print_json(found)
        return
    click.echo(table(_HEAD, [_row(one) for one in found]) if found else "no losses")


@losses.command()
@click.argument("loss_id")
@json_option
@options.data
def show(loss_id: str, data: Path | None, *, as_json: bool) -> None:
    """Show a loss: what is known of it, and which orders are gone."""
    found = call(find(data), "GET", _path(loss_id))
    print_json(found) if as_json else click.echo(_page(found))


@losses.command()
@click.argument("loss_id")
@click.option("--reason", required=True, help="What was done about it; for the log.")
@yes_option
@json_option
@options.data
def acknowledge(loss_id: str, reason: str, data: Path | None, *, yes: bool, as_json: bool) -> None:
    """Let a loss wake nobody any more; takes an admin's key. The audit counts it for ever."""
    instance = find(data)
    found = call(instance, "GET", _path(loss_id))
    what = f"{found['lost_orders']} orders lost{', perhaps more' if found['is_unknown'] else ''}"
    confirm(f"Acknowledge the loss {plain(loss_id)} of {plain(found['sale_id'])} ({what})?", yes=yes)
    answer = call(instance, "POST", _path(loss_id, "acknowledge"), body={"reason": reason})
    print_json(answer) if as_json else click.echo(f"the loss {plain(loss_id)} is acknowledged")


def _path(loss_id: str, step: str = "") -> str:
    return f"/ops/losses/{quote(loss_id, safe='')}{f'/{step}' if step else ''}"


def _row(loss: dict[str, Any]) -> tuple[object, ...]:
    return (
        loss["loss_id"], loss["state"], loss["sale_id"], loss["partition"], show_time(loss["at"]), loss["lost_orders"],
        "perhaps" if loss["is_unknown"] else "no", f"{loss['intakes_heard']} of {loss['intakes_asked']}",
        loss["acknowledged_by"] or "-",
    )  # fmt: skip


def _page(loss: dict[str, Any]) -> str:
    facts = {name: value for name, value in loss.items() if name not in ("order_ids", "intakes") and value is not None}
    shown = {name: show_time(value) if name in ("at", "acknowledged_at") else value for name, value in facts.items()}
    width = max(map(len, shown))
    lines = [f"{name:<{width}}  {plain(value)}" for name, value in shown.items()]
    silent = [
        f"silent  {one['intake_id']}, last seen {show_time(one['seen_at']) if one['seen_at'] else 'long ago'}"
        for one in loss["intakes"]
        if one["said_at"] is None
    ]
    return "\n".join([*lines, *silent, *loss["order_ids"]])
