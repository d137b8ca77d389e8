"""What `doorbuster prewarm` prints: each check in a line, go or no-go. Owns the exit code: 1 on no-go."""

from __future__ import annotations

from typing import Any

import click

from doorbuster.cli.answer import plain, print_json, table
from doorbuster.cli.ops import call
from doorbuster.cli.times import span
from doorbuster.embedded.data.instance import Instance
from doorbuster.errors import StoreUnavailableError

_HIDDEN = frozenset({"ok", "reason", "servers", "starts_at", "ends_at", "wanted", "known", "replicas"})


def run_prewarm(instance: Instance, sale_id: str, path: str, *, as_json: bool) -> int:
    """Prewarm a sale and print what was found; a store that is away is a no-go like any other."""
    try:
        found = call(instance, "POST", path)
    except StoreUnavailableError as error:
        failed = {"prewarm": {"ok": False, "reason": error.detail}}
        known: Any = error.context.get("checks") or {}
        checks = known if any(not check["ok"] for check in known.values()) else known | failed
        found = {"sale_id": sale_id, "go": False, "checks": checks}
    if as_json:
        print_json(found)
    else:
        click.echo(_table(found))
    return 0 if found["go"] else 1


def _table(found: dict[str, Any]) -> str:
    rows = [
        (name, "go" if check["ok"] else "NO-GO", check.get("reason") or _figures(check))
        for name, check in found["checks"].items()
    ]
    failing = sum(not check["ok"] for check in found["checks"].values())
    verdict = "go" if found["go"] else f"NO-GO: {failing} check{'s fail' if failing != 1 else ' fails'}"
    return f"{table(('check', '', 'about'), rows)}\n{plain(found['sale_id'])}: {verdict}"


def _figures(check: dict[str, Any]) -> str:
    return ", ".join(
        _figure(name, value) for name, value in check.items() if name not in _HIDDEN and value not in ({}, None)
    )


def _figure(name: str, value: Any) -> str:
    if name.endswith("_in_s"):
        return f"{name.removesuffix('_in_s')} {f'in {span(value)}' if value > 0 else f'{span(value)} ago'}"
    if name == "age_s":
        return f"up {span(value)}"
    if name.endswith("_ms"):
        return f"{name.removesuffix('_ms').replace('_', ' ')} {value:,} ms"
    if name == "ahead_s":
        return ", ".join(f"{store.replace('_', ' ')} {seconds:+.3f} s" for store, seconds in value.items())
    if name == "signing":
        return f"signed with {', '.join(map(plain, value))}"
    if name == "notes":
        return "; ".join(map(plain, value))
    return f"{name.replace('_', ' ')} {plain(value)}"
