"""`doorbuster log`: what ops changed, when and who, newest first."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

import click

from doorbuster.cli import options
from doorbuster.cli.answer import as_json as json_option
from doorbuster.cli.answer import plain, print_json, table
from doorbuster.cli.ops import pages
from doorbuster.cli.times import show_time
from doorbuster.contract.ops_keys import SETTINGS_KEY
from doorbuster.embedded.data.instance import Instance, find

_CHANGE_MAX = 100


@click.command("log")
@click.argument("target", required=False)
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@json_option
@options.data
def show_log(target: str | None, limit: int, data: Path | None, *, as_json: bool) -> None:
    """Show what ops changed, newest first; of one TARGET alone, like sale:spring, product:lamp or catalogue."""
    print_log(find(data), target, limit, as_json=as_json)


def print_log(instance: Instance, target: str | None, limit: int, *, as_json: bool) -> None:
    """Print the log's newest entries."""
    asked = {"limit": str(limit)} | ({"target": target} if target else {})
    found = list(islice(pages(instance, "/ops/audit", asked), limit))
    if as_json:
        print_json(found)
        return
    rows = [(show_time(one["at"]), _author(one), one["action"], one["target"], _short(one["change"])) for one in found]
    click.echo(table(("at", "by", "did", "to", "change"), rows) if rows else "nothing was changed yet")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _author(entry: dict[str, Any]) -> str:
    """Return who made a change: as it named itself, and whose key it was where that is not the one of the settings."""
    key = entry.get("key_name")
    parts = [entry["operator"], f"[{key}]" if key and key != SETTINGS_KEY else ""]
    return " ".join(part for part in parts if part) or "-"


def _short(change: dict[str, Any]) -> str:
    """Return a change on one line; where the log has how each field was, each as it was and as it is."""
    before = change.get("before")
    if isinstance(before, dict):
        text = "; ".join(f"{name}: {_json(was)} -> {_json(change.get(name))}" for name, was in before.items())
    else:
        text = _json(change)
    return plain(text if len(text) <= _CHANGE_MAX else f"{text[:_CHANGE_MAX]} ...")
