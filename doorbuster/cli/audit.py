"""`doorbuster audit`: holds the running stores against the promises P1 to P6; repairs nothing."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import cast

import click
import msgspec
from redis.asyncio import Redis

from db import pool
from db.audit import Figure, Findings, PartitionCount
from db.audit import audit as audit_database
from doorbuster import keys
from doorbuster.cli import options
from doorbuster.embedded.instance import find
from doorbuster.stores import plain_client

ATTEMPTS = 10
PAUSE_S = 0.3
_CHUNK = 5_000
_TIMEOUT_S = 300.0


@click.command()
@options.data
@click.option("--json", "as_json", is_flag=True, help="As one JSON document.")
def audit(data: Path | None, as_json: bool) -> int:
    """Check the promises against the running stores, print each figure; exits 1 on any breach."""
    instance = find(data)
    figures, states = asyncio.run(_audit(instance.url("database"), instance.url("orders_redis")))
    breaches = sum(figure.breaches for figure in figures)
    if as_json:
        document = {"figures": msgspec.to_builtins(figures), "states": states, "breaches": breaches}
        click.echo(json.dumps(document))
        return 1 if breaches else 0
    for figure in figures:
        verdict = f"BROKEN ({figure.breaches:,})" if figure.breaches else "ok"
        click.echo(f"{figure.promise}  {figure.value:>14,}  {figure.what:<58} {verdict}")
    for state, count in states.items():
        click.echo(f"    {count:>14,}  orders {state}")
    click.echo(f"{breaches:,} breaches" if breaches else "all promises hold")
    return 1 if breaches else 0


async def _audit(dsn: str, orders_url: str) -> tuple[list[Figure], dict[str, int]]:
    connection = await pool.connect(dsn, command_timeout_s=_TIMEOUT_S, application="doorbuster-audit")
    orders = plain_client(orders_url, timeout_s=30.0)
    try:
        for _ in range(ATTEMPTS):
            findings = await audit_database(connection)
            figures = [*findings.figures, await _waiting(orders, findings), await _published(orders, findings)]
            if not any(figure.breaches for figure in figures):
                break
            # The stores are read one after the other: what moved in between looks like a breach, once.
            await asyncio.sleep(PAUSE_S)
        return sorted(figures, key=lambda figure: figure.promise), findings.states
    finally:
        await orders.aclose()
        await connection.close()


async def _waiting(orders: Redis, findings: Findings) -> Figure:
    """Count what is accepted but not drained: on the streams, and by the counters of gate and cursor."""
    waiting = lost = 0
    for one in findings.partitions:
        counted = await orders.hget(keys.gate(one.sale_number, one.partition), "accepted")
        behind = await _entries_behind(orders, one)
        waiting += behind
        if counted is not None:
            lost += max(int(counted) - one.drained - behind, 0)
    return Figure(promise="P1", what="accepted entries waiting in the streams", value=waiting, breaches=lost)


async def _entries_behind(orders: Redis, one: PartitionCount) -> int:
    name, after, count = keys.stream(one.sale_number, one.partition), one.entry_id, 0
    while True:
        entries = cast("list[tuple[bytes, object]]", await orders.xrange(name, min=f"({after}", count=_CHUNK))
        count += len(entries)
        if len(entries) < _CHUNK:
            return count
        after = entries[-1][0].decode()


async def _published(orders: Redis, findings: Findings) -> Figure:
    """Compare what the relay says it published with what the event stream took."""
    took = 0
    if await orders.exists(keys.EVENTS):
        took = int((await orders.xinfo_stream(keys.EVENTS))["entries-added"])
    missing = max(findings.published - took, 0)
    return Figure(promise="P6", what="events the event stream took", value=took, breaches=missing)
