"""`doorbuster audit`: checks the promises against the running stores, and prints each figure."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec
import redis

from db.audit import promises
from db.connections import pool
from db.connections.fence import remember_in
from doorbuster.cli import options
from doorbuster.cli.answer import warn
from doorbuster.cli.audit.provider import gateway_of, provider_figures
from doorbuster.cli.instance.trouble import require_stores
from doorbuster.embedded.data.instance import Instance, find
from doorbuster.errors import StoreUnavailableError
from doorbuster.failures import REDIS_FAILED, STORE_FAILED
from doorbuster.log import redact
from doorbuster.orderstore.beside.timelines import Timelines
from doorbuster.redis_clients import plain_client
from readiness import audited
from workers.payments.gateway import GatewayError

if TYPE_CHECKING:
    from db.audit.questions import Figure
    from db.connections.pool import Connection
    from doorbuster.contract.night.promises import PromisesView

_STATEMENT_TIMEOUT_S = 300.0
_ANSWER_TIMEOUT_S = 30.0
_NOTE_TIMEOUT_S = 3.0


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As one JSON document.")
@click.option("--provider", is_flag=True, help="Compare with the payment provider's own list too.")
@click.option(
    "--hours", type=options.Number(min=0, min_open=True, max=8_760), default=24.0, show_default=True,
    help="With --provider: of payments asked for within so many hours.",
)  # fmt: skip
@options.data
def audit(as_json: bool, provider: bool, hours: float, data: Path | None) -> int:
    """Check promises P1 to P6, P11, P12, and P7 as far as can be, against the running stores; exits 1 on any breach."""
    instance = find(data)
    require_stores(instance, "database", "orders_redis")
    try:
        report = asyncio.run(_audit(instance, hours if provider else None))
    except GatewayError as error:
        raise StoreUnavailableError(f"the payment provider: {error}") from error
    except STORE_FAILED as error:
        store = "the order store" if isinstance(error, redis.RedisError) else "Postgres"
        raise StoreUnavailableError(f"{store} does not answer: {error or type(error).__name__}") from error
    click.echo(msgspec.json.encode(report).decode() if as_json else _table(report))
    return 1 if report.breaches else 0


async def _audit(instance: Instance, provider_hours: float | None) -> PromisesView:
    dsn, orders_url = instance.url("database"), instance.url("orders_redis")
    async with plain_client(orders_url, timeout_s=_ANSWER_TIMEOUT_S) as orders:
        remember_in(Timelines(orders))
        connection = await pool.connect(
            dsn, command_timeout_s=_STATEMENT_TIMEOUT_S, application="doorbuster-audit", steady=False
        )
        try:
            compared = [] if provider_hours is None else await _compared(instance, connection, provider_hours)
            found = await promises.look(connection, orders, more=compared)
        finally:
            remember_in(None)
            await connection.close()
    await _note(instance, found)
    return found


async def _note(instance: Instance, found: PromisesView) -> None:
    """Note it for metrics, alert and go/no-go, as `GET /ops/promises` does; where that cannot be, it is said."""
    if not instance.has_together("database", "orders_redis", "jobs_redis"):
        warn("JOBS_REDIS_URL is not set: metrics and go/no-go do not know of this audit")
        return
    try:
        async with plain_client(instance.url("jobs_redis"), timeout_s=_NOTE_TIMEOUT_S) as jobs:
            await audited.tell(jobs, found)
    except REDIS_FAILED as error:
        warn(f"the jobs store does not answer, metrics and go/no-go do not know of this audit: {redact(str(error))}")


async def _compared(instance: Instance, connection: Connection, hours: float) -> list[Figure]:
    gateway = gateway_of(instance)
    try:
        return await provider_figures(connection, gateway, hours)
    finally:
        await gateway.close()


def _table(report: PromisesView) -> str:
    width = max(len(figure.what) for figure in report.figures)
    lines = [
        f"{figure.promise:<3}  {figure.what:<{width}}  {figure.value:>12}  "
        + (f"BROKEN: {figure.breaches}" if figure.breaches else "ok")
        for figure in report.figures
    ]
    lines += [f"     {'orders ' + state:<{width}}  {count:>12}" for state, count in sorted(report.states.items())]
    return "\n".join([*lines, "a promise is BROKEN" if report.breaches else "all promises hold"])
