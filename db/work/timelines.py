"""Timelines of Postgres on which this database was written to. Owns what follows from a new one: it may lack changes.

Order store, room and processes keep copies of a sale, each the newest version it heard of. Of a change that was lost
with the former primary they would keep what nobody can read any more; so all sales get a version beyond it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from db.query_files import load

if TYPE_CHECKING:
    from db.connections.pool import Connection
    from db.connections.server_connection import ServerConnection

_SQL = load("servers")

log = logging.getLogger("doorbuster.postgres")


async def waits_for_standbys(connection: Connection) -> bool:
    """Say whether the primary acknowledges nothing that no standby has."""
    return bool(await connection.fetchval(_SQL["synchronous_standbys"]))


async def note(connection: ServerConnection) -> bool:
    """Note the timeline that a connection writes on; say whether another came before it, so that sales were renewed.

    Safe to repeat, and for several at a time.
    """
    timeline = 0 if connection.identity is None else connection.identity.timeline
    if not timeline:
        return False
    async with connection.transaction():
        replaces = await connection.fetchval(_SQL["note_timeline"], timeline)
        if replaces:
            await connection.execute(_SQL["supersede_sales"])
    if replaces:
        log.warning("copies of sales are superseded: Postgres has a new primary", extra={"timeline": timeline})
    return bool(replaces)
