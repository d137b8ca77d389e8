"""`doorbuster orders list|show|export`: orders as they are. Owns these commands; changes nothing."""

from __future__ import annotations

import os
import sys
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import click

from doorbuster.cli import options
from doorbuster.cli.answer import as_json as json_option
from doorbuster.cli.answer import print_json
from doorbuster.cli.group import Commands
from doorbuster.cli.ops import call, pages, streamed
from doorbuster.cli.orders.moves import cancel, refund, ship
from doorbuster.cli.orders.options import filters, order_path, params_of
from doorbuster.cli.orders.words import listed, page
from doorbuster.embedded.data.instance import Instance, find
from doorbuster.errors import InvalidError

_PAGE_MAX = 500


@click.group(cls=Commands)
def orders() -> None:
    """List, show, export, ship, refund and cancel orders."""


@orders.command("list")
@filters
@click.option("--customer", metavar="ID", help="Of this customer.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@json_option
@options.data
def list_orders(customer: str | None, limit: int, data: Path | None, *, as_json: bool, **given: str | None) -> None:
    """List orders, newest first; `export` gives all of them."""
    asked = params_of(given) | ({"customer": customer} if customer else {}) | {"limit": str(min(limit, _PAGE_MAX))}
    found = list(islice(pages(find(data), "/ops/orders", asked), limit))
    print_json(found) if as_json else click.echo(listed(found))


@orders.command()
@click.argument("order_id")
@json_option
@options.data
def show(order_id: str, data: Path | None, *, as_json: bool) -> None:
    """Show an order: its lines, money, parcels, refunds and history."""
    found = call(find(data), "GET", order_path(order_id))
    print_json(found) if as_json else click.echo(page(found))


@orders.command()
@filters
@click.option(
    "--format", "form", type=click.Choice(["csv", "jsonl"]), help="By default the file's name tells, else csv."
)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Into this file, not to stdout.")
@options.data
def export(form: str | None, output: Path | None, data: Path | None, **given: str | None) -> None:
    """Export orders in the order of acceptance, a line an order.

    A file named by --output is there only when it is whole; to stdout, exit code 1 says that it broke off.
    """
    named = output.suffix.lstrip(".") if output else ""
    asked = params_of(given) | {"format": form or (named if named == "jsonl" else "csv")}
    instance = find(data)
    if output is None:
        _write(instance, asked, sys.stdout.buffer)
        return
    trial = output.with_name(f".{output.name}.part{os.getpid()}")
    try:
        with trial.open("xb") as file:
            rows = _write(instance, asked, file)
        trial.replace(output)
    except OSError as error:
        raise InvalidError(f"--output: cannot write {output}: {error.strerror}") from error
    finally:
        trial.unlink(missing_ok=True)
    head = asked["format"] == "csv"
    click.echo(f"{rows - head:,} order{'s' * (rows - head != 1)} in {output}", err=True)


def _write(instance: Instance, asked: dict[str, str], file: BinaryIO) -> int:
    """Write the export into a file; return how many lines it has."""
    lines = 0
    with streamed(instance, "/ops/orders:export", asked) as parts:
        for part in parts:
            file.write(part)
            lines += part.count(b"\n")
        file.flush()
    return lines


for command in (ship, refund, cancel):
    orders.add_command(command)
