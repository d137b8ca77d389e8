"""`doorbuster reindex`: builds the search index anew, while the old one is searched and fed."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import click

from db.connections import pool
from doorbuster.cli import options
from doorbuster.cli.instance.database import answering
from doorbuster.cli.instance.trouble import require_stores
from doorbuster.embedded.data.instance import find
from doorbuster.errors import SettingsError

_READ_TIMEOUT_S = 60.0
_WRITE_TIMEOUT_S = 60.0


@click.command()
@options.data
def reindex(data: Path | None) -> None:
    """Build the search index of SEARCH_URL anew from the database.

    Searches see the old index until the new one is whole; changes meanwhile reach both. Run it once at first, and
    whenever a version says so.
    """
    search_url = os.environ.get("SEARCH_URL")
    if not search_url:
        raise SettingsError("SEARCH_URL: is missing")
    instance = find(data)
    require_stores(instance, "database")
    done = asyncio.run(_reindex(instance.url("database"), search_url))
    click.echo(f"indexed {done} products")


async def _reindex(database_url: str, search_url: str) -> int:
    # Not needed, and not installed, where Postgres searches.
    from catalogue.search.opensearch_backend import connect
    from catalogue.search.opensearch_indexer import Indexer

    client, alias = connect(search_url, timeout_s=_WRITE_TIMEOUT_S)
    try:
        with answering():
            connection = await pool.connect(
                database_url, command_timeout_s=_READ_TIMEOUT_S, application="doorbuster-reindex"
            )
            try:
                return await Indexer(client, alias).reindex(
                    connection, _told if sys.stderr.isatty() else lambda _: None
                )
            finally:
                await connection.close()
    finally:
        await client.close()


def _told(done: int) -> None:
    click.echo(f"\r{done}", nl=False, err=True)
