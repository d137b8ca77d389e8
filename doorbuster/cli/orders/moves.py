"""`doorbuster orders ship|refund|cancel`: orders moved on by hand. Owns these commands; the API decides what may be."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import click

from doorbuster.cli import options
from doorbuster.cli.answer import as_json as json_option
from doorbuster.cli.answer import confirm, plain, print_json
from doorbuster.cli.answer import yes as yes_option
from doorbuster.cli.ops import Call, call, make
from doorbuster.cli.orders.options import lines, order_path, reason, units_of
from doorbuster.cli.orders.words import amount
from doorbuster.cli.sendable import header
from doorbuster.embedded.data.instance import Instance, find
from doorbuster.errors import InvalidError


@click.command()
@click.argument("order_id")
@lines
@click.option("--carrier", help="Who brings it.")
@click.option("--tracking", metavar="NUMBER", help="The parcel's number at the carrier.")
@json_option
@options.data
def ship(order_id: str, named: tuple[str, ...], data: Path | None, *, as_json: bool, **given: str | None) -> None:
    """Send a parcel of the order: of all that is open, or of the lines that are named."""
    instance = find(data)
    units = units_of(named, lambda: _shown(instance, order_id), _open)
    body = {name: value for name, value in ({"lines": units} | given).items() if value is not None}
    parcel = call(instance, "POST", order_path(order_id, "shipments"), body=body)
    if as_json:
        print_json(parcel)
        return
    sent = ", ".join(f"{one['quantity']} of line {one['line']}" for one in parcel["lines"])
    click.echo(f"the parcel {parcel['shipment_id']} of {plain(order_id)} is sent: {sent}; {_stands(parcel)}")


@click.command()
@click.argument("order_id")
@lines
@click.option("--amount", "minor", type=click.IntRange(1), help="In minor units; without, what the lines cost.")
@click.option("--reason", required=True, help="Why; the customer may be told.")
@click.option("--restock", is_flag=True, help="The lines' units are in stock again.")
@click.option("--key", help="Of this refund: the same key again gives nothing back twice.")
@yes_option
@json_option
@options.data
def refund(order_id: str, named: tuple[str, ...], data: Path | None, *, yes: bool, as_json: bool, **given: Any) -> None:
    """Give money back: for the lines that are named, or an amount; without either, all that is not refunded yet."""
    instance = find(data)
    order = _shown(instance, order_id)
    units = units_of(named, lambda: order, _refundable)
    if given["restock"] and units is None:
        raise InvalidError("--restock: name the lines whose units are in stock again")
    body: dict[str, Any] = {"reason": given["reason"]}
    if units is not None:
        body["lines"] = [one | {"restock": given["restock"]} for one in units]
    if given["minor"] is not None or units is None:
        body["amount"] = given["minor"] if given["minor"] is not None else _left_to_refund(order)
    what = amount(body["amount"], order["currency"]) if "amount" in body else "what these lines cost"
    confirm(f"Give back {what} for {plain(order_id)}?", yes=yes)
    key = f"cli-{secrets.token_hex(16)}" if given["key"] is None else given["key"]
    headers = ((b"Idempotency-Key", header(key, "--key")),)
    wanted = Call("POST", order_path(order_id, "refunds"), body, headers=headers)
    made = make(instance, wanted)
    if as_json:
        print_json(made)
        return
    click.echo(
        f"{amount(made['amount'], order['currency'])} of {plain(order_id)} goes back, {made['status']}: refund"
        f" {made['refund_id']}; {_stands(made)}"
    )


@click.command()
@click.argument("order_id")
@lines
@reason
@yes_option
@json_option
@options.data
def cancel(
    order_id: str, named: tuple[str, ...], data: Path | None, *, reason: str | None, yes: bool, as_json: bool
) -> None:
    """Cancel what has not been shipped of the order, or the lines that are named; the units are free again."""
    instance = find(data)
    units = units_of(named, lambda: _shown(instance, order_id), _open)
    if units is not None and reason:
        raise InvalidError("--reason: only where the whole order is cancelled")
    what = (
        "all that has not been shipped"
        if units is None
        else ", ".join(f"{one['quantity']} of line {one['line']}" for one in units)
    )
    confirm(f"Cancel {what} of {plain(order_id)}?", yes=yes)
    if units is None:
        body = {"to": "cancelled"} | ({"reason": reason} if reason else {})
        order = call(instance, "POST", order_path(order_id, "transitions"), body=body)
    else:
        path = order_path(order_id, "cancel").removeprefix("/ops")
        order = make(instance, Call("POST", path, {"lines": units}, is_storefronts=True))
    print_json(order) if as_json else click.echo(
        f"{what} of {plain(order_id)} is cancelled; the order is {order['status']}"
    )


def _shown(instance: Instance, order_id: str) -> dict[str, Any]:
    order: dict[str, Any] = call(instance, "GET", order_path(order_id))
    return order


def _stands(answer: dict[str, Any]) -> str:
    return f"the order is {answer['order']['status']}"


def _open(line: dict[str, Any]) -> int:
    return int(line["quantity"]) - int(line["cancelled"]) - int(line["shipped"])


def _refundable(line: dict[str, Any]) -> int:
    return int(line["quantity"]) - int(line["refunded"])


def _left_to_refund(order: dict[str, Any]) -> int:
    left = int(order["payment"].get("captured", 0)) - int(order["payment"].get("refunded", 0))
    if left <= 0:
        raise InvalidError("nothing of the order's money is left to give back")
    return left
