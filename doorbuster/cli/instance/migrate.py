"""`doorbuster migrate`: brings the database up to date."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from db.migrate import migrate as apply_migrations
from doorbuster.cli import options
from doorbuster.cli.instance.database import answering
from doorbuster.cli.instance.trouble import require_stores
from doorbuster.embedded.data.instance import find


@click.command()
@options.data
def migrate(data: Path | None) -> None:
    """Apply the migrations that the database lacks; again is safe."""
    instance = find(data)
    url = instance.url("database")
    require_stores(instance, "database")
    with answering():
        applied = asyncio.run(apply_migrations(url))
    for name in applied:
        click.echo(f"applied {name}")
    click.echo("the database is up to date")
