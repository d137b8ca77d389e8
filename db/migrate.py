"""Applies `db/migrations/*.sql` in order, once each, under an advisory lock. Never edits what was applied."""

from __future__ import annotations

import asyncio
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from db.connections import pool
from db.query_files import load

if TYPE_CHECKING:
    from db.connections.pool import Connection
    from db.connections.server_connection import ServerConnection

_MIGRATIONS = Path(__file__).with_name("migrations")
_SQL = load("migrate")
WITHIN_S = 7_200.0
"""How long one migration may take: some write every product anew."""
_TRY_AGAIN_S = 0.1
APART = "-- Each statement a transaction of its own."
"""The first line of such a migration."""
LOOK_S = 10.0
"""How long a look at what is missing may take."""


def available() -> list[str]:
    """Return the names of all migrations, in order."""
    return sorted(path.stem for path in _MIGRATIONS.glob("*.sql"))


async def pending(connection: Connection) -> list[str]:
    """Return the names of the migrations that the database lacks, in order."""
    if not await connection.fetchval(_SQL["table_exists"]):
        return available()
    applied = {record["name"] for record in await connection.fetch(_SQL["applied"])}
    return [name for name in available() if name not in applied]


async def look(dsn: str) -> list[str]:
    """Return the names of the migrations that the database lacks, in order; changes nothing."""
    connection = await pool.connect(dsn, command_timeout_s=LOOK_S, application="doorbuster-migrate", steady=False)
    try:
        return await pending(connection)
    finally:
        await connection.close()


async def migrate(dsn: str) -> list[str]:
    """Bring the database up to date; return the names of the migrations applied now.

    What a file does is one transaction, but for a file that begins with `APART`: of that each statement is one, so that
    indexes of large tables are made while orders are written. It can be repeated, and is, if it was broken off.
    """
    guard = await _connect(dsn)
    try:
        while (done := await _if_nobody_else(guard, dsn)) is None:  # noqa: ASYNC110 - who else does it is another process
            await asyncio.sleep(_TRY_AGAIN_S)
        return done
    finally:
        await guard.close()


async def _if_nobody_else(guard: ServerConnection, dsn: str) -> list[str] | None:
    """Bring the database up to date if nobody else does so now; None: somebody does.

    Each attempt is a transaction of its own: making an index waits for the end of whatever is under way.
    """
    async with guard.transaction():
        if not await guard.fetchval(_SQL["try_lock"]):
            return None
        await guard.execute(_SQL["keep_lock"])
        connection = await _connect(dsn)
        try:
            return await _apply(connection)
        finally:
            await connection.close()


async def _connect(dsn: str) -> ServerConnection:
    return await pool.connect(dsn, command_timeout_s=WITHIN_S, application="doorbuster-migrate", steady=False)


async def _apply(connection: ServerConnection) -> list[str]:
    await connection.execute(_SQL["create_table"])
    missing = await pending(connection)
    for stands_apart, names in groupby(missing, key=_stands_apart):
        if stands_apart:
            for name in names:
                for statement in _statements(name):
                    await connection.execute(statement)
                await connection.execute(_SQL["record"], name)
        else:
            async with connection.transaction():
                for name in names:
                    await connection.execute(_text(name))
                    await connection.execute(_SQL["record"], name)
    if missing:
        await connection.execute(_SQL["make_real_views"])
    return missing


def _text(name: str) -> str:
    return (_MIGRATIONS / f"{name}.sql").read_text()


def _stands_apart(name: str) -> bool:
    return _text(name).startswith(APART)


def _statements(name: str) -> list[str]:
    lines = (line for line in _text(name).splitlines() if not line.startswith("--"))
    return [statement for part in "\n".join(lines).split(";") if (statement := part.strip())]
