"""`doorbuster sale ...`: sales by the ops API. Every answer is a sentence or a table, or JSON with --json."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from doorbuster.cli import options
from doorbuster.cli.answer import as_json as json_option
from doorbuster.cli.answer import confirm, print_json, table, warn
from doorbuster.cli.answer import yes as yes_option
from doorbuster.cli.group import Commands
from doorbuster.cli.ops import call, pages
from doorbuster.cli.ops_log import print_log
from doorbuster.cli.sale import words as sale_words
from doorbuster.cli.sale.plan import for_change, overlaps
from doorbuster.cli.sale.prewarm import run_prewarm
from doorbuster.cli.sale.report import print_report, write_page
from doorbuster.cli.sale.shuffle import verify_shuffle
from doorbuster.cli.sale.spec import body_of, merge_products, read_product, room_options, terms_options
from doorbuster.cli.sale.waiting import wait_for
from doorbuster.embedded.data.instance import Instance, find
from doorbuster.errors import DoorbusterError, InvalidError

_LOOKED_AT_MAX = 100
"""Products of a sale, and other sales, that are looked at for warnings."""
_STEPS = {
    "open": ("is open", "Open the sale now, also before its start."),
    "hold": ("is on hold", "Pause the sale: no order is accepted until it is resumed."),
    "resume": ("goes on", "Go on after a hold."),
    "drain": ("drains", "Accept no more; what was accepted is worked off."),
}


@click.group(cls=Commands)
def sale() -> None:
    """Make, show and steer sales."""


@sale.command()
@click.argument("sale_id", required=False)
@terms_options
@click.option("--partitions", type=int, help="Streams to spread the orders over; more than 1 gives up total order.")
@room_options
@json_option
@options.data
def create(
    sale_id: str | None, file: Path | None, products: tuple[str, ...], data: Path | None, *, as_json: bool, **given: Any
) -> None:
    """Make a sale, from options, a file, or both; by default it starts now and never ends.

    With any option of its room and no --room-mode, the room is always on.
    """
    body = body_of(file, given)
    if isinstance(body.get("room"), dict):
        body["room"] = {"mode": "always"} | body["room"]
    if sale_id:
        body["sale_id"] = sale_id
    if products:
        body["products"] = [read_product(text) for text in products]
    missing = [name for name in ("sale_id", "products") if name not in body]
    if missing:
        raise InvalidError("incomplete", [(name, "is missing") for name in missing])
    instance = find(data)
    made = call(instance, "POST", "/ops/sales", body=body)
    _answer(instance, made, ["is made"], as_json=as_json, asked_start="starts_at" in body)


@click.command()
@click.argument("sale_id", required=False)
@terms_options
@click.option("--drop", "dropped", multiple=True, metavar="ID", help="Take a product out of the sale; again for more.")
@room_options
@json_option
@options.data
def change(sale_id: str | None, file: Path | None, data: Path | None, *, as_json: bool, **given: Any) -> None:
    """Change a sale: only what is named; a product that is not in the sale yet is added. A file may name the sale.

    Terms of a product that are not named stay; `--product lamp:quantity=none` takes one away.
    """
    products, dropped = given.pop("products"), given.pop("dropped")
    body = body_of(file, given)
    sale_id = sale_id or body.get("sale_id")
    if not isinstance(sale_id, str):
        raise InvalidError("incomplete", [("sale_id", "is missing")])
    instance = find(data)
    before = call(instance, "GET", path(sale_id))
    body = for_change(body, sale_id, before)
    if products or dropped:
        body["products"] = merge_products(body.get("products", before["products"]), products, dropped)
    if not body:
        raise InvalidError("nothing to change was named; see `doorbuster sale set --help`")
    after = call(instance, "PATCH", path(sale_id), body=body)
    said = sale_words.changes(before, after) or ["nothing changed: it was so already"]
    _answer(instance, after, ["is changed", *said], as_json=as_json, asked_start="starts_at" in body, is_new=False)


@sale.command()
@click.argument("old")
@click.argument("new")
@click.option("--starts-at", help="RFC 3339 with a time zone; all other times move with it.")
@click.option("--ends-at", help="RFC 3339 with a time zone; by default as long after the start as the old one's.")
@click.option("--name")
@json_option
@options.data
def clone(old: str, new: str, data: Path | None, *, as_json: bool, **given: str | None) -> None:
    """Make a sale like another, at another time; on hold if that one has begun and no --starts-at is said."""
    where = path(old, "clone")
    body = body_of(None, given) | {"sale_id": new}
    instance = find(data)
    made = call(instance, "POST", where, body=body)
    _answer(instance, made, [f"is made like {old}"], as_json=as_json, asked_start="starts_at" in body)


@sale.command()
@click.argument("sale_id")
@json_option
@options.data
def show(sale_id: str, data: Path | None, *, as_json: bool) -> None:
    """Show a sale."""
    found = call(find(data), "GET", path(sale_id))
    print_json(found) if as_json else click.echo(sale_words.page(found))


@sale.command("list")
@json_option
@options.data
def list_sales(data: Path | None, *, as_json: bool) -> None:
    """List all sales, newest first."""
    found = list(pages(find(data), "/ops/sales"))
    if as_json:
        print_json(found)
        return
    rows = [
        (one["sale_id"], one["name"], len(one["products"]), one["room"]["mode"], sale_words.window(one))
        for one in found
    ]
    click.echo(table(("sale", "name", "products", "room", "state"), rows) if rows else "no sales yet")


@sale.command()
@click.argument("sale_id")
@yes_option
@json_option
@options.data
def revoke(sale_id: str, data: Path | None, *, yes: bool, as_json: bool) -> None:
    """Make every admission of the sale's room that is out worthless: who had one joins again."""
    where = path(sale_id, "room/revoke")
    instance = find(data)
    call(instance, "GET", path(sale_id))
    confirm(f"Revoke every admission to {sale_id} that is out? Who has one must join again.", yes=yes)
    answer = call(instance, "POST", where)
    count = answer.get("revoked")
    said = "every admission that was out is revoked" if count is None else _admissions(count)
    print_json(answer) if as_json else click.echo(f"{sale_id}: {said}; who had one joins again")


@sale.command()
@click.argument("sale_id")
@yes_option
@json_option
@options.data
def close(sale_id: str, data: Path | None, *, yes: bool, as_json: bool) -> None:
    """End the sale for good; what was accepted is worked off."""
    where = path(sale_id, "close")
    instance = find(data)
    now = call(instance, "GET", path(sale_id))
    confirm(f"Close {sale_id} for good? It is {sale_words.window(now)}.", yes=yes or now["phase"] == "closed")
    closed = call(instance, "POST", where)
    waiting = _backlog(instance, sale_id)
    said = f"; {waiting:,} accepted orders are still worked off" if waiting else ""
    print_json(closed) if as_json else click.echo(f"{sale_id} is closed for good{said}")


@sale.command()
@click.argument("sale_id")
@click.option(
    "--html", "page", type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="Write it as a page to this file, which needs no other.",
)  # fmt: skip
@click.option("--preview", is_flag=True, help="Of a sale that is not over: what there is so far.")
@click.option("--fresh", is_flag=True, help="As of now, and not as it was written.")
@json_option
@options.data
def report(sale_id: str, page: Path | None, data: Path | None, *, as_json: bool, **asked: bool) -> int:
    """Show what is told of a sale that is over; exits 1 if a promise is broken."""
    if page is not None and as_json:
        raise InvalidError("--html writes a page, --json prints: say one of them")
    where, params = path(sale_id, "report"), {name: "true" for name, wanted in asked.items() if wanted}
    if page is None:
        return print_report(find(data), where, params, as_json=as_json)
    write_page(find(data), where, params, page)
    click.echo(f"the report of {sale_id} is in {page}")
    return 0


@sale.command("log")
@click.argument("sale_id")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@json_option
@options.data
def sale_log(sale_id: str, limit: int, data: Path | None, *, as_json: bool) -> None:
    """Show what ops did to the sale, newest first."""
    instance = find(data)
    call(instance, "GET", path(sale_id))
    print_log(instance, f"sale:{sale_id}", limit, as_json=as_json)


@click.command()
@click.argument("sale_id")
@json_option
@options.data
def prewarm(sale_id: str, data: Path | None, *, as_json: bool) -> int:
    """Warm everything up for the sale and report go or no-go; exits 1 on no-go."""
    return run_prewarm(find(data), sale_id, path(sale_id, "prewarm"), as_json=as_json)


@click.command()
@click.argument("sale_id")
@click.option(
    "--until", type=click.Choice(["open", "ended", "drained", "settled"]), default="settled", show_default=True,
    help="open: takes orders; ended: takes none any more; drained: none accepted waits; settled: none pending either.",
)  # fmt: skip
@click.option("--timeout-s", type=options.Number(min=0), help="Give up after so long, with exit code 1.")
@json_option
@options.data
def wait(sale_id: str, until: str, timeout_s: float | None, data: Path | None, *, as_json: bool) -> int:
    """Wait until the sale is where it should be."""
    reached, last = wait_for(find(data), path(sale_id), sale_id, until, timeout_s)
    if as_json:
        print_json({"sale_id": sale_id, "until": until, "reached": reached, "now": last})
    else:
        click.echo(f"{sale_id} is {until}" if reached else f"{sale_id} is not {until} yet: {last}")
    return 0 if reached else 1


def path(sale_id: str, step: str = "") -> str:
    """Return the path of a sale, or of a step of it.

    Raises:
        NotFoundError: no sale can have this id.
    """
    options.check_sale_id(sale_id)
    return f"/ops/sales/{sale_id}" + (f"/{step}" if step else "")


def _admissions(count: int) -> str:
    return f"{count:,} admission{'s' * (count != 1)} revoked"


def _answer(
    instance: Instance, found: dict[str, Any], said: list[str], *, as_json: bool, asked_start: bool, is_new: bool = True
) -> None:
    """Print a sale that was made or changed, and what is probably not meant."""
    doubts, units = sale_words.doubts(found, asked_start=asked_start, is_new=is_new), {}
    for terms in found["products"][:_LOOKED_AT_MAX]:
        product = call(instance, "GET", f"/ops/products/{quote(terms['product_id'], safe='')}")
        doubts += sale_words.product_doubts(terms, product)
        units[terms["product_id"]] = sale_words.units_of(product)
    if any(one["quantity"] is not None for one in found["products"]):
        doubts += overlaps(found, islice(pages(instance, "/ops/sales"), _LOOKED_AT_MAX), units)
    if as_json:
        print_json(found)
    else:
        click.echo("\n  ".join([sale_words.sentence(found, said[0]), *said[1:]]))
    for doubt in doubts:
        warn(doubt)


def _backlog(instance: Instance, sale_id: str) -> int:
    try:
        sales = call(instance, "GET", "/ops/status")["sales"]
    except DoorbusterError:  # the sale is closed; how many still wait is a kindness
        return 0
    return next((one["backlog"] or 0 for one in sales if one["sale_id"] == sale_id), 0)


def _add_step(step: str, said: str, text: str) -> None:
    @sale.command(step, help=text)
    @click.argument("sale_id")
    @json_option
    @options.data
    def run(sale_id: str, data: Path | None, *, as_json: bool) -> None:
        moved = call(find(data), "POST", path(sale_id, step))
        print_json(moved) if as_json else click.echo(sale_words.sentence(moved, said))


for _step, (_said, _text) in _STEPS.items():
    _add_step(_step, _said, _text)
sale.add_command(change, "set")
sale.add_command(change, "change")
for _command in (prewarm, wait, verify_shuffle):
    sale.add_command(_command)
