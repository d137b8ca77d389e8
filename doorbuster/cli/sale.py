"""`doorbuster sale ...`: sales by the ops API. Every answer is printed as JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import IO, Any

import click

from doorbuster.cli import options
from doorbuster.cli.ops import call
from doorbuster.cli.sale_spec import read_body, read_product, room_options, split_room
from doorbuster.cli.shuffle import verify_shuffle
from doorbuster.embedded.instance import find
from doorbuster.errors import InvalidError, NotFoundError
from doorbuster.fields import SALE_ID

_STEPS = {
    "prewarm": "Warm everything up for the sale and report go or no-go.",
    "open": "Open the sale now.",
    "hold": "Pause the sale: no order is accepted until it is resumed.",
    "resume": "Go on after a hold.",
    "drain": "Accept no more; what was accepted is worked off.",
    "close": "End the sale.",
}


@click.group()
def sale() -> None:
    """Make, show and steer sales."""


def _print(answer: Any) -> None:
    click.echo(json.dumps(answer, indent=2, ensure_ascii=False))


@sale.command()
@click.argument("sale_id", required=False)
@click.option("--json", "source", type=click.File("r"), help="The whole body from a file, or - for stdin.")
@click.option("--product", "products", multiple=True, metavar="ID[:quantity=N,limit=N,price=N]", help="Again for more.")
@click.option("--name")
@click.option("--starts-at", help="RFC 3339; by default now.")
@click.option("--ends-at", help="RFC 3339; by default never.")
@click.option("--hold-s", type=int, help="How long a reservation waits for its payment.")
@click.option("--partitions", type=int, help="Streams to spread the orders over; more than 1 gives up total order.")
@room_options
@options.data
def create(
    sale_id: str | None, source: IO[str] | None, products: tuple[str, ...], data: Path | None, **given: Any
) -> None:
    """Make a sale, from options or from JSON; options go before the JSON's fields.

    With any option of its room and no --room-mode, the room is always on.
    """
    body = read_body(source.read()) if source else {}
    terms, room = split_room({name: value for name, value in given.items() if value is not None})
    body |= terms
    if room:
        body["room"] = {"mode": "always"} | (body.get("room") or {}) | room
    if sale_id:
        body["sale_id"] = sale_id
    if products:
        body["products"] = [read_product(text) for text in products]
    missing = [name for name in ("sale_id", "products") if name not in body]
    if missing:
        raise InvalidError("incomplete", [(name, "is missing") for name in missing])
    _print(call(find(data), "POST", "/ops/sales", body=body))


@sale.command()
@click.argument("sale_id")
@options.data
def show(sale_id: str, data: Path | None) -> None:
    """Show a sale."""
    _print(call(find(data), "GET", _path(sale_id)))


@sale.command("list")
@options.data
def list_sales(data: Path | None) -> None:
    """List all sales, a line of JSON each."""
    instance = find(data)
    params: dict[str, str] = {}
    while True:
        page = call(instance, "GET", "/ops/sales", params=params)
        for item in page["items"]:
            click.echo(json.dumps(item, ensure_ascii=False))
        if not page.get("next_cursor"):
            return
        params = {"cursor": page["next_cursor"]}


@sale.command()
@click.argument("sale_id")
@options.data
def revoke(sale_id: str, data: Path | None) -> None:
    """Make every admission of the sale's room that is out worthless: who had one joins again."""
    _print(call(find(data), "POST", _path(sale_id, "room/revoke")))


def _path(sale_id: str, step: str = "") -> str:
    if not re.fullmatch(SALE_ID, sale_id):  # percent-encoded or not, it would name another place
        raise NotFoundError(f"there is no sale {sale_id!r}")
    return f"/ops/sales/{sale_id}" + (f"/{step}" if step else "")


def _add_step(step: str, text: str) -> None:
    @sale.command(step, help=text)
    @click.argument("sale_id")
    @options.data
    def run(sale_id: str, data: Path | None) -> None:
        _print(call(find(data), "POST", _path(sale_id, step)))


sale.add_command(verify_shuffle)
for _step, _text in _STEPS.items():
    _add_step(_step, _text)
