"""Rivals of the drain on the same tables: one transaction per order, and COPY of the rows the drain wrote.

Owns a database of its own on the measured server, made by the same migrations; never writes to Doorbuster's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from time import perf_counter
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import uuid4

from db.connections.pool import connect, create_pool
from db.migrate import migrate
from db.query_files import load
from db.work.copy_rows import COLUMNS
from loadtests.scene.loopback import check_database

if TYPE_CHECKING:
    from db.connections.pool import Connection, Pool

CONNECTIONS = 32
TABLES = ("orders", "order_lines", "reservations", "order_events")
_SQL = load("rivals")
_TIMEOUT_S = 300.0

Rows = dict[str, bytes]
"""Table -> its rows as COPY's binary form."""


@asynccontextmanager
async def database(dsn: str) -> AsyncIterator[str]:
    """Make the rivals' database beside the measured one and yield its DSN; drop it at the end."""
    connection = await connect(check_database(dsn), command_timeout_s=_TIMEOUT_S, application="doorbuster-rivals")
    try:
        await connection.execute(_SQL["drop_database"])
        await connection.execute(_SQL["create_database"])
        own = urlsplit(dsn)._replace(path="/doorbuster_rivals").geturl()
        await migrate(own)
        yield own
        await connection.execute(_SQL["drop_database"])
    finally:
        await connection.close()


async def one_by_one(dsn: str, *, seconds: float) -> float:
    """Reserve a hot product by one transaction per order over 32 connections; return orders a second."""
    pool = await create_pool(dsn, min_size=CONNECTIONS, max_size=CONNECTIONS, application="doorbuster-rivals")
    async with pool:
        sale_number = await pool.fetchval(_SQL["seed"])
        began = perf_counter()
        counts = await asyncio.gather(*(_reserve_until(pool, sale_number, began + seconds) for _ in range(CONNECTIONS)))
        return sum(counts) / (perf_counter() - began)


async def _reserve_until(pool: Pool, sale_number: int, ends: float) -> int:
    count = 0
    async with pool.acquire() as connection:
        statement = await connection.prepare(_SQL["reserve_one"])
        while perf_counter() < ends:
            await statement.fetch(uuid4(), sale_number, f"customer-{count}")
            count += 1
    return count


async def rows_of(dsn: str) -> tuple[int, Rows]:
    """Return how many orders the measured database has, and every row the drain wrote for them."""
    connection = await connect(dsn, command_timeout_s=_TIMEOUT_S, application="doorbuster-rivals")
    try:
        rows: Rows = {}
        for table in TABLES:
            into = BytesIO()
            done = await connection.copy_from_query(_SQL[f"drained_{table}"], output=into, format="binary")
            rows[table] = into.getvalue()
            if table == "orders":
                orders = int(done.rpartition(" ")[2])
        return orders, rows
    finally:
        await connection.close()


async def copy(dsn: str, orders: int, rows: Rows) -> float:
    """COPY the rows into empty tables in one transaction; return orders a second."""
    connection = await connect(dsn, command_timeout_s=_TIMEOUT_S, application="doorbuster-rivals")
    try:
        await connection.execute(_SQL["empty"])
        began = perf_counter()
        async with connection.transaction():
            for table in TABLES:
                await _copy_in(connection, table, rows[table])
        return orders / (perf_counter() - began)
    finally:
        await connection.close()


async def _copy_in(connection: Connection, table: str, rows: bytes) -> None:
    await connection.copy_to_table(table, source=BytesIO(rows), columns=COLUMNS[table], format="binary")
