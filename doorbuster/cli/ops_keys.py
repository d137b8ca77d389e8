"""`doorbuster ops-keys ...`: keys of the ops API, made, listed and revoked. Owns the words; the API decides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from doorbuster.cli import options
from doorbuster.cli.answer import as_json as json_option
from doorbuster.cli.answer import confirm, plain, print_json, table
from doorbuster.cli.answer import yes as yes_option
from doorbuster.cli.group import Commands
from doorbuster.cli.ops import call, pages
from doorbuster.cli.times import read_time, show_time
from doorbuster.contract.ops_keys import ROLES
from doorbuster.embedded.data.instance import Instance, find
from doorbuster.errors import NotFoundError

_HEAD = ("id", "name", "role", "state", "made", "by", "expires", "revoked")


@click.group("ops-keys", cls=Commands)
def ops_keys() -> None:
    """Make, list and revoke keys of the ops API; takes an admin's key."""


@ops_keys.command()
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), required=True, help="What the key may.")
@click.option("--expires", metavar="TIME", help="When it ends; without, when it is revoked.")
@json_option
@options.data
def create(name: str, role: str, expires: str | None, data: Path | None, *, as_json: bool) -> None:
    """Make a key for a person or a program called NAME, and show it this once."""
    body = {"name": name, "role": role} | ({"expires_at": read_time(expires, "--expires")} if expires else {})
    made = call(find(data), "POST", "/ops/keys", body=body)
    if as_json:
        print_json(made)
        return
    until = f" until {show_time(made['expires_at'])}" if made["expires_at"] else ""
    click.echo(f"{plain(name)} has the ops key {made['key_id']}, role {role}{until}. It is shown this once:", err=True)
    click.echo(made["key"])


@ops_keys.command("list")
@click.option("--all", "every", is_flag=True, help="Also those that are revoked or expired.")
@json_option
@options.data
def list_keys(data: Path | None, *, every: bool, as_json: bool) -> None:
    """List the keys that are good, newest first."""
    found = [one for one in pages(find(data), "/ops/keys") if every or one["state"] == "active"]
    if as_json:
        print_json(found)
        return
    rows = [
        (
            str(one["key_id"]), one["name"], one["role"], one["state"], show_time(one["created_at"]), one["created_by"],
            show_time(one["expires_at"]), show_time(one["revoked_at"]),
        )
        for one in found
    ]  # fmt: skip
    click.echo(table(_HEAD, rows) if rows else "no ops keys but OPS_KEY")


@ops_keys.command()
@click.argument("key", metavar="NAME|ID")
@yes_option
@json_option
@options.data
def revoke(key: str, data: Path | None, *, yes: bool, as_json: bool) -> None:
    """Revoke a key for good, by its name or its number."""
    instance = find(data)
    found = _named(instance, key)
    confirm(f"Revoke the ops key {found['key_id']} of {plain(found['name'])} ({found['role']}) for good?", yes=yes)
    call(instance, "DELETE", f"/ops/keys/{found['key_id']}")
    done = {"key_id": found["key_id"], "name": found["name"], "revoked": True}
    print_json(done) if as_json else click.echo(f"the ops key {found['key_id']} of {plain(found['name'])} is revoked")


def _named(instance: Instance, key: str) -> dict[str, Any]:
    """Return the key that is not revoked of this name, else of this number."""
    there = [one for one in pages(instance, "/ops/keys") if one["state"] != "revoked"]
    for one in there:
        if one["name"] == key:
            return one
    for one in there:
        if str(one["key_id"]) == key:
            return one
    raise NotFoundError(f"there is no ops key {plain(key)!r} that is not revoked; see doorbuster ops-keys list")
