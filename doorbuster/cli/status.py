"""`doorbuster status`: what runs where, and whether it is ready."""

from __future__ import annotations

import json
from pathlib import Path

import click
import httpx

from doorbuster.cli import options
from doorbuster.embedded.instance import find
from doorbuster.log import redact


@click.command()
@options.data
@click.option("--json", "as_json", is_flag=True, help="As one JSON document.")
def status(data: Path | None, as_json: bool) -> int:
    """Show the instance's URLs and processes; exits 1 unless it is ready."""
    instance = find(data)
    base, pids = instance.ops_base, instance.pids
    ready, detail = _readiness(base)
    if as_json:
        click.echo(json.dumps({"ops_base": base, "ready": ready, "detail": detail, "pids": pids}))
        return 0 if ready else 1
    click.echo(f"{'ready' if ready else 'not ready'}\t{base}")
    for role, pid in pids.items():
        numbers = pid if isinstance(pid, list) else [pid] if pid is not None else []
        click.echo(f"{role}\t{' '.join(map(str, numbers)) or 'not ours'}")
    if not ready:
        click.echo(redact(detail))
    return 0 if ready else 1


def _readiness(base: str) -> tuple[bool, str]:
    try:
        answer = httpx.get(f"{base.rstrip('/')}/readyz", timeout=10, trust_env=False)
    except httpx.HTTPError as error:
        return False, f"does not answer: {error}"
    return answer.is_success, answer.text
