"""Connection pools. Owns how a connection is made; never retries a statement."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeAlias

import asyncpg

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]

CONNECT_TIMEOUT_S = 5.0


async def _prepare(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")


async def create_pool(
    dsn: str, *, min_size: int = 1, max_size: int = 10, command_timeout_s: float = 5.0, application: str = "doorbuster"
) -> Pool:
    """Open a pool of connections that decode jsonb, each statement bounded by `command_timeout_s`."""
    return await asyncpg.create_pool(
        dsn,
        min_size=min_size,
        max_size=max_size,
        command_timeout=command_timeout_s,
        timeout=CONNECT_TIMEOUT_S,
        init=_prepare,
        server_settings={"application_name": application, "timezone": "UTC"},
    )


async def connect(dsn: str, *, command_timeout_s: float = 5.0, application: str = "doorbuster") -> Connection:
    """Open one connection like those of the pools."""
    connection = await asyncpg.connect(
        dsn,
        command_timeout=command_timeout_s,
        timeout=CONNECT_TIMEOUT_S,
        server_settings={"application_name": application, "timezone": "UTC"},
    )
    await _prepare(connection)
    return connection
