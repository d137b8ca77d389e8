"""Applies `db/migrations/*.sql` in order, once each, under an advisory lock. Never edits what was applied."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from db.connections import pool
from db.query_files import load

if TYPE_CHECKING:
    from db.connections.pool import Connection

_MIGRATIONS = Path(__file__).with_name("migrations")
_SQL = load("migrate")
WITHIN_S = 7_200.0
"""How long one migration may take: some write every product anew."""
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
    """Bring the database up to date; return the names of the migrations applied now."""
    connection = await pool.connect(dsn, command_timeout_s=WITHIN_S, application="doorbuster-migrate", steady=False)
    try:
        async with connection.transaction():
            await connection.execute(_SQL["lock"])
            await connection.execute(_SQL["create_table"])
            missing = await pending(connection)
            for name in missing:
                await connection.execute((_MIGRATIONS / f"{name}.sql").read_text())
                await connection.execute(_SQL["record"], name)
            if missing:
                await connection.execute(_SQL["make_real_views"])
        return missing
    finally:
        await connection.close()
