"""`doorbuster wait`: looks at a sale until it is where it should be. Owns how often; decides nothing of the sale."""

from __future__ import annotations

import sys
import time
from typing import Any

import click

from doorbuster.cli.ops import call
from doorbuster.embedded.data.instance import Instance

LOOK_S = 0.5
_OVER = frozenset({"drain", "closed", "ended"})


def wait_for(instance: Instance, path: str, sale_id: str, until: str, timeout_s: float | None) -> tuple[bool, str]:
    """Wait until a sale is open, ended, drained or settled; return whether it is, and how it stood last."""
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    shown = ""
    while True:
        reached, now = _look(instance, path, sale_id, until)
        if reached or (deadline is not None and time.monotonic() >= deadline):
            return reached, now
        if now != shown and sys.stderr.isatty():
            click.echo(now, err=True)
            shown = now
        time.sleep(LOOK_S if deadline is None else max(0.0, min(LOOK_S, deadline - time.monotonic())))


def _look(instance: Instance, path: str, sale_id: str, until: str) -> tuple[bool, str]:
    phase = call(instance, "GET", path)["effective_phase"]
    if until == "open":
        return phase == "open", f"it is {phase}"
    if until == "ended":
        return phase in _OVER, f"it is {phase}"
    waiting = _backlog(instance, sale_id)
    if waiting or until == "drained":
        return waiting == 0, f"it is {phase}, {waiting:,} accepted orders wait"
    pending = _pending(instance, sale_id)
    return not pending, f"it is {phase}, orders are pending"


def _backlog(instance: Instance, sale_id: str) -> int:
    sales: list[dict[str, Any]] = call(instance, "GET", "/ops/status")["sales"]
    return next((one["backlog"] or 0 for one in sales if one["sale_id"] == sale_id), 0)


def _pending(instance: Instance, sale_id: str) -> bool:
    asked = {"sale": sale_id, "status": "pending", "limit": "1"}
    return bool(call(instance, "GET", "/ops/orders", params=asked)["items"])
