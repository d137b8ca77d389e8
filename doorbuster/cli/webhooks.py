"""`doorbuster webhooks ...`: endpoints that are told what happens, and what each was sent. The API decides."""

from __future__ import annotations

import time
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
from doorbuster.cli.times import read_time, show_time
from doorbuster.contract.webhooks import EVENT_TYPES
from doorbuster.embedded.data.instance import Instance, find

STATES = ("due", "waiting", "delivered", "dead", "discarded")
_HEAD = ("id", "url", "events", "state", "failures", "description")
_LOG_HEAD = ("id", "event", "type", "state", "attempts", "status", "tried", "next try", "error")
_ERROR_MAX = 60
_TEST_S, _LOOK_S = 20.0, 0.2


@click.group(cls=Commands)
def webhooks() -> None:
    """Make, list and steer webhooks: endpoints that are told what happens."""


@webhooks.command()
@click.argument("url")
@click.option("--event", "events", multiple=True, type=click.Choice(EVENT_TYPES), help="A type; without, all types.")
@click.option("--description", help="What it is for.")
@json_option
@options.data
def create(url: str, events: tuple[str, ...], description: str | None, data: Path | None, *, as_json: bool) -> None:
    """Make a webhook, and show its secret this once; takes an admin's key."""
    body: dict[str, Any] = {"url": url} | ({"events": list(events)} if events else {})
    made = call(find(data), "POST", "/ops/webhooks", body=body | ({"description": description} if description else {}))
    _tell_secret(made, f"the webhook {made['webhook_id']} is made. Its secret is shown this once:", as_json=as_json)


@webhooks.command("list")
@json_option
@options.data
def list_webhooks(data: Path | None, *, as_json: bool) -> None:
    """List webhooks, newest first."""
    found = list(pages(find(data), "/ops/webhooks"))
    if as_json:
        print_json(found)
        return
    rows = [
        (
            str(one["webhook_id"]), one["url"], " ".join(one["events"] or ["all"]), one["state"], one["failures"],
            one["description"] or "-",
        )
        for one in found
    ]  # fmt: skip
    click.echo(table(_HEAD, rows) if rows else "no webhooks")


@webhooks.command()
@click.argument("webhook_id")
@json_option
@options.data
def show(webhook_id: str, data: Path | None, *, as_json: bool) -> None:
    """Show a webhook, without its secret."""
    found = call(find(data), "GET", _path(webhook_id))
    if as_json:
        print_json(found)
        return
    shown = found | {"events": " ".join(found["events"] or ["all"])}
    times = ("created_at", "retry_at", "former_secret_until")
    shown = {name: show_time(value) if name in times else value for name, value in shown.items()}
    width = max(map(len, shown))
    click.echo("\n".join(f"{name:<{width}}  {plain(value)}" for name, value in shown.items()))


@webhooks.command()
@click.argument("webhook_id")
@yes_option
@json_option
@options.data
def delete(webhook_id: str, data: Path | None, *, yes: bool, as_json: bool) -> None:
    """Delete a webhook, and what waits for it; takes an admin's key."""
    instance = find(data)
    found = call(instance, "GET", _path(webhook_id))
    confirm(f"Delete the webhook {plain(webhook_id)} ({plain(found['url'])}) and what waits for it?", yes=yes)
    call(instance, "DELETE", _path(webhook_id))
    done = {"webhook_id": found["webhook_id"], "deleted": True}
    print_json(done) if as_json else click.echo(f"the webhook {plain(webhook_id)} is deleted")


@webhooks.command()
@click.argument("webhook_id")
@json_option
@options.data
def rotate(webhook_id: str, data: Path | None, *, as_json: bool) -> None:
    """Give a webhook a new secret, and show it this once; the former one signs too for a day."""
    made = call(find(data), "POST", _path(webhook_id, "rotate"))
    until = show_time(made["former_secret_until"])
    _tell_secret(made, f"the former secret signs too until {until}. The new one is shown this once:", as_json=as_json)


@webhooks.command()
@click.argument("webhook_id")
@json_option
@options.data
def resume(webhook_id: str, data: Path | None, *, as_json: bool) -> None:
    """Send to a webhook again that is paused, disabled or backs off, at once."""
    found = call(find(data), "POST", _path(webhook_id, "resume"))
    print_json(found) if as_json else click.echo(f"the webhook {plain(webhook_id)} is sent to again")


@webhooks.command()
@click.argument("webhook_id")
@json_option
@options.data
def test(webhook_id: str, data: Path | None, *, as_json: bool) -> int:
    """Send a test to a webhook and wait for what comes of it; exit code 1 if it was not taken."""
    instance = find(data)
    sent = call(instance, "POST", _path(webhook_id, "test"))
    line = _result(instance, webhook_id, sent["delivery_id"])
    taken = line is not None and line["state"] == "delivered"
    if as_json:
        print_json(sent | {"delivery": line})
    elif line is None:
        click.echo("the test was not sent yet: is a worker running? `webhooks deliveries` will say what comes of it")
    else:
        said = f"answered {line['status_code']}" if taken else plain(line["error"] or "it was not taken")
        click.echo(f"{plain(sent['event_id'])}: {'taken' if taken else 'not taken'}, {said}")
    return 0 if taken else 1


@webhooks.command()
@click.argument("webhook_id")
@click.option("--since", required=True, metavar="TIME", help="From then on.")
@click.option("--until", metavar="TIME", help="Before then; without, now.")
@click.option("--order", "order_id", metavar="ID", help="Of this order alone.")
@json_option
@options.data
def replay(webhook_id: str, data: Path | None, *, as_json: bool, **given: str | None) -> None:
    """Send a webhook its events of a time once more, under the ids that they had."""
    times = {name: read_time(value, f"--{name}") for name in ("since", "until") if (value := given[name])}
    body = times | ({"order_id": given["order_id"]} if given["order_id"] else {})
    asked = call(find(data), "POST", _path(webhook_id, "replay"), body=body)
    span = f"from {show_time(asked['since'])} until {show_time(asked['until'])}"
    print_json(asked) if as_json else click.echo(f"the webhook {plain(webhook_id)} gets its events {span} once more")


@webhooks.command()
@click.argument("webhook_id")
@click.option("--state", type=click.Choice(STATES), help="In this state alone.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@json_option
@options.data
def deliveries(webhook_id: str, state: str | None, limit: int, data: Path | None, *, as_json: bool) -> None:
    """List what a webhook was sent, newest first."""
    asked = {"limit": str(min(limit, 500))} | ({"state": state} if state else {})
    found = list(islice(pages(find(data), _path(webhook_id, "deliveries"), asked), limit))
    if as_json:
        print_json(found)
        return
    rows = [
        (
            str(one["delivery_id"]), one["event_id"], one["type"], one["state"], one["attempts"],
            "-" if one["status_code"] is None else str(one["status_code"]), show_time(one["tried_at"]),
            show_time(one["next_try_at"]), (one["error"] or "-")[:_ERROR_MAX],
        )
        for one in found
    ]  # fmt: skip
    click.echo(table(_LOG_HEAD, rows) if rows else "no deliveries")


def _path(webhook_id: str, step: str = "") -> str:
    return f"/ops/webhooks/{quote(webhook_id, safe='')}{f'/{step}' if step else ''}"


def _tell_secret(made: dict[str, Any], words: str, *, as_json: bool) -> None:
    if as_json:
        print_json(made)
        return
    click.echo(words, err=True)
    click.echo(made["secret"])


def _result(instance: Instance, webhook_id: str, delivery_id: int) -> dict[str, Any] | None:
    """Return the test's delivery once it has ended, None when that takes too long."""
    until = time.monotonic() + _TEST_S
    while time.monotonic() < until:
        for line in islice(pages(instance, _path(webhook_id, "deliveries"), {"limit": "50"}), 50):
            if line["delivery_id"] == delivery_id and line["finished_at"] is not None:
                found: dict[str, Any] = line
                return found
        time.sleep(_LOOK_S)
    return None
