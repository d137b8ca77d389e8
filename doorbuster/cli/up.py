"""`doorbuster up`: all of Doorbuster on one machine."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import click

from db.migrate import migrate as apply_migrations
from doorbuster import log
from doorbuster.cli.database import answering
from doorbuster.embedded import leftovers
from doorbuster.embedded.folder import DEFAULT, DataFolder
from doorbuster.embedded.plan import Options, check_settings, make_plan
from doorbuster.embedded.postgres import Postgres
from doorbuster.embedded.standby import standbys
from doorbuster.embedded.supervisor import Supervisor


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0 picks a free one.")
@click.option("--data", type=click.Path(path_type=Path), default=None, help="Data folder [default: .doorbuster]")
@click.option("--intake", default=1, show_default=True, type=click.IntRange(1, 64), help="Intake processes.")
@click.option("--workers", default=4, show_default=True, type=click.IntRange(1, 64), help="Worker processes.")
@click.option(
    "--replicas", default=0, show_default=True, type=click.IntRange(0, 4), help="Streaming replicas of PostgreSQL."
)
@click.option("--ready-file", type=click.Path(path_type=Path, dir_okay=False), help="Also write the ready line here.")
def up(data: Path | None, **options: Any) -> None:
    """Run everything: PostgreSQL, Valkey, intake, workers and scheduler.

    Prints one line of JSON on stdout once it serves. SIGTERM or Ctrl-C stops it; started again on the same folder it
    goes on where it was. DATABASE_URL, ORDERS_REDIS_URL, ROOM_REDIS_URL, JOBS_REDIS_URL and CACHE_REDIS_URL each
    replace the store it would bring itself; OPS_PORT and OPS_BIND give the ops API a listener of its own. With
    --replicas, catalogue and search are read from streaming replicas of the PostgreSQL it brings.
    """
    log.configure(os.environ.get("LOG_LEVEL") or "info")
    check_settings()
    folder = DataFolder(data or Path(os.environ.get("DOORBUSTER_DATA") or DEFAULT))
    asked = Options(**options)
    folder.open()
    try:
        leftovers.sweep(folder.root)
        postgres = Postgres(folder.postgres, folder.log("postgres"))
        replicas = standbys(postgres, folder, asked.replicas)
        plan = make_plan(folder, asked, postgres.url(), tuple(one.server.url() for one in replicas))
        Supervisor(plan, postgres, _migrate).run(announce=click.echo)
    finally:
        folder.close()


def _migrate(urls: dict[str, str]) -> None:
    with answering():
        asyncio.run(apply_migrations(urls["database"]))
