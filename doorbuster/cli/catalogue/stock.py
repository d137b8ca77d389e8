"""`doorbuster stock ...`: where a product's units are, received and adjusted by the ops API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from doorbuster.cli import options
from doorbuster.cli.answer import as_json as json_option
from doorbuster.cli.answer import plain, print_json, table
from doorbuster.cli.catalogue.product import product_path
from doorbuster.cli.group import Commands
from doorbuster.cli.ops import call
from doorbuster.embedded.data.instance import find

_HEAD = ("product", "in stock", "reserved", "sold", "received")


@click.group(cls=Commands)
def stock() -> None:
    """Show, receive and adjust the units of products."""


@stock.command()
@click.argument("product_ids", nargs=-1, required=True, metavar="PRODUCT_ID...")
@json_option
@options.data
def show(product_ids: tuple[str, ...], data: Path | None, *, as_json: bool) -> None:
    """Show where every unit of the products is."""
    instance = find(data)
    ledgers = [_ledger(call(instance, "GET", product_path(one))) for one in product_ids]
    print_json(ledgers) if as_json else click.echo(_table(ledgers))


@stock.command()
@click.argument("product_id")
@click.argument("units", type=click.IntRange(1, 10**9))
@json_option
@options.data
def receive(product_id: str, units: int, data: Path | None, *, as_json: bool) -> None:
    """Add units that came in."""
    ledger = call(find(data), "POST", product_path(product_id, "stock"), body={"receive": units})
    _told(ledger, f"received {units:,} of {plain(product_id)}", as_json=as_json)


@stock.command(context_settings={"ignore_unknown_options": True})
@click.argument("product_id")
@click.argument("units", type=click.IntRange(-(10**9), 10**9))
@click.option("--reason", required=True, help="Why the count is corrected; noted in the log.")
@json_option
@options.data
def adjust(product_id: str, units: int, data: Path | None, *, reason: str, as_json: bool) -> None:
    """Correct the count of units in stock, up or down (-5); only free units can go."""
    body = {"adjust": units, "reason": reason}
    ledger = call(find(data), "POST", product_path(product_id, "stock"), body=body)
    _told(ledger, f"adjusted {plain(product_id)} by {units:+,}", as_json=as_json)


def _told(ledger: dict[str, Any], what: str, *, as_json: bool) -> None:
    if as_json:
        print_json(ledger)
        return
    click.echo(f"{what}: {ledger['stock']:,} in stock, {ledger['reserved']:,} reserved, {ledger['sold']:,} sold")


def _ledger(product: dict[str, Any]) -> dict[str, Any]:
    nothing = {"product_id": product["product_id"], "stock": 0, "reserved": 0, "sold": 0, "received": 0}
    return product["stock"] or nothing


def _table(ledgers: list[dict[str, Any]]) -> str:
    names = ("product_id", "stock", "reserved", "sold", "received")
    return table(_HEAD, [[one[name] for name in names] for one in ledgers])
