"""`doorbuster migrate`: brings the database up to date."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import click

from db.migrate import migrate as apply_migrations
from doorbuster.cli import options
from doorbuster.embedded.instance import find
from doorbuster.errors import StoreUnavailableError


@click.command()
@options.data
def migrate(data: Path | None) -> None:
    """Apply the migrations that the database lacks; again is safe."""
    try:
        applied = asyncio.run(apply_migrations(find(data).url("database")))
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise StoreUnavailableError(f"cannot bring the database up to date: {error}") from error
    for name in applied:
        click.echo(f"applied {name}")
    click.echo("the database is up to date")
