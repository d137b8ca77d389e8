"""`doorbuster migrate`: brings the database up to date."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from db.migrate import look
from db.migrate import migrate as apply_migrations
from doorbuster.cli import options
from doorbuster.cli.instance.database import answering
from doorbuster.cli.instance.trouble import require_stores
from doorbuster.embedded.data.instance import find


@click.command()
@options.data
@click.option("--check", is_flag=True, help="Apply nothing; say what is missing, with exit code 1 if anything is.")
def migrate(data: Path | None, *, check: bool) -> None:
    """Apply the migrations that the database lacks; again is safe."""
    instance = find(data)
    url = instance.url("database")
    require_stores(instance, "database")
    if check:
        _require_all(url)
        return
    with answering():
        applied = asyncio.run(apply_migrations(url))
    for name in applied:
        click.echo(f"applied {name}")
    click.echo("the database is up to date")


def _require_all(url: str) -> None:
    """Say which migrations are missing; exit code 1 if any is."""
    with answering():
        missing = asyncio.run(look(url))
    if missing:
        click.echo(f"migrations are missing: {', '.join(missing)}", err=True)
        raise click.exceptions.Exit(1)
    click.echo("the database is up to date")
