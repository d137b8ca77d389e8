"""`doorbuster product ...`: products by the ops API; what is not named of a product stays as it is."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
import httpx

from doorbuster.cli import options
from doorbuster.cli.answer import as_json as json_option
from doorbuster.cli.answer import plain, print_json, table
from doorbuster.cli.group import Commands
from doorbuster.cli.ops import call
from doorbuster.cli.times import show_time
from doorbuster.embedded.data.instance import Instance, find
from doorbuster.errors import InvalidError, NotFoundError, StoreUnavailableError

_FIELDS = ("name", "brand", "category", "description", "price", "currency", "active", "attributes")
_REQUIRED = ("name", "brand", "category", "price", "currency")
_TIMEOUT_S = 4.0


@click.group(cls=Commands)
def product() -> None:
    """Make, change, show and list products."""


@product.command("set")
@click.argument("product_id")
@click.option("--name")
@click.option("--brand")
@click.option("--category")
@click.option("--description")
@click.option("--price", type=click.IntRange(min=0), help="In minor units: 4900 is 49.00 EUR.")
@click.option("--currency", help="ISO 4217, like EUR.")
@click.option("--on/--off", "active", default=None, help="Whether it can be ordered.")
@json_option
@options.data
def change(product_id: str, data: Path | None, *, as_json: bool, **given: Any) -> None:
    """Make a product, or change what is named of one."""
    wanted = {name: value for name, value in given.items() if value is not None}
    if not wanted:
        raise InvalidError("nothing to change was named; see `doorbuster product set --help`")
    instance = find(data)
    now = _stored(instance, product_id)
    body = {name: now[name] for name in _FIELDS} | wanted if now else wanted
    missing = [f"--{name}" for name in _REQUIRED if name not in body]
    if missing:
        raise InvalidError(f"there is no product {product_id!r} yet: a new one needs {', '.join(missing)} too")
    made = call(instance, "PUT", product_path(product_id), body=body)
    if as_json:
        print_json(made)
        return
    said = [f"{name} {plain(now[name])} -> {plain(made[name])}" for name in _FIELDS if now and now[name] != made[name]]
    if now is None:
        click.echo(f"{plain(product_id)} is made, without units: doorbuster stock receive {plain(product_id)} N")
    else:
        click.echo(f"{plain(product_id)} is changed: {', '.join(said)}" if said else f"{plain(product_id)} was so")


@product.command()
@click.argument("product_id")
@json_option
@options.data
def show(product_id: str, data: Path | None, *, as_json: bool) -> None:
    """Show a product and where its units are."""
    found = call(find(data), "GET", product_path(product_id))
    if as_json:
        print_json(found)
        return
    ledger = found["stock"] or {"stock": 0, "reserved": 0, "sold": 0, "received": 0}
    facts = {"product": found["product_id"]} | {name: found[name] for name in _FIELDS}
    facts["price"] = f"{found['price']} in minor units"
    facts |= {"changed": show_time(found.get("updated_at")), "in stock": ledger["stock"]}
    facts |= {name: ledger[name] for name in ("reserved", "sold", "received")}
    width = max(map(len, facts))
    click.echo("\n".join(f"{name:<{width}}  {plain(value)}" for name, value in facts.items()))


@product.command("list")
@click.option("--category", help="Of this category alone.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@json_option
@options.data
def list_products(category: str | None, limit: int, data: Path | None, *, as_json: bool) -> None:
    """List the products that can be ordered, by id, as the storefront sees them."""
    found = list(islice(_shown(find(data).base, category), limit))
    if as_json:
        print_json(found)
        return
    rows = [
        (one["product_id"], one["name"], one["category"], one["price"], one["currency"], one["availability"])
        for one in found
    ]
    click.echo(
        table(("product", "name", "category", "minor units", "", "availability"), rows) if rows else "no products"
    )


def product_path(product_id: str, step: str = "") -> str:
    """Return the path of a product, or of a part of it.

    Raises:
        NotFoundError: no product can have this id.
    """
    if product_id in ("", ".", ".."):
        raise NotFoundError(f"there is no product {product_id!r}")
    return f"/ops/products/{quote(product_id, safe='')}" + (f"/{step}" if step else "")


def _stored(instance: Instance, product_id: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = call(instance, "GET", product_path(product_id))
    except NotFoundError:
        return None
    return found


def _shown(base: str, category: str | None) -> Iterator[dict[str, Any]]:
    params = {"limit": "100"} | ({"category": category} if category is not None else {})
    while True:
        try:
            answer = httpx.get(f"{base.rstrip('/')}/products", params=params, timeout=_TIMEOUT_S, trust_env=False)
            page = answer.raise_for_status().json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise StoreUnavailableError(f"the intake at {base} does not list products: {error}") from error
        yield from page["items"]
        if not page.get("next_cursor"):
            return
        params["cursor"] = page["next_cursor"]
