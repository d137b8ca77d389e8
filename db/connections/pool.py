"""Connection pools. Owns how a connection is made; never retries a statement."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import asyncpg
import msgspec

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

CONNECT_TIMEOUT_S = 4.0
READ_IDLE_S = 30.0
"""How long a reader may leave its transaction alone: it keeps no lock, and may be late because its process is."""

PLANNED_STEADILY = {"enable_seqscan": "off", "enable_nestloop": "off"}
"""For sessions whose statements are planned once and run for hours: right for an empty table and for a full one.

A table is read by an index condition of its own, and what remains is joined by hash; only a lateral sub-select, which
leaves no choice, is looked up row by row (docs/adr/0018)."""

_JSONB_VERSION = b"\x01"


def _encode_jsonb(value: object) -> bytes:
    """Take JSON as bytes as it is: what a customer sent is stored as sent."""
    return _JSONB_VERSION + (value if isinstance(value, bytes) else msgspec.json.encode(value))


def _decode_jsonb(value: bytes) -> object:
    return msgspec.json.decode(value[1:])


async def _prepare(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    # Binary, because COPY knows no other format.
    await connection.set_type_codec(
        "jsonb", encoder=_encode_jsonb, decoder=_decode_jsonb, schema="pg_catalog", format="binary"
    )


def _session(application: str, idle_in_transaction_s: float, *, steady: bool = True) -> dict[str, str]:
    return (PLANNED_STEADILY if steady else {}) | {
        "application_name": application,
        "timezone": "UTC",
        # A process paused in the middle of a transaction would keep its row locks, and its successor out, for ever.
        "idle_in_transaction_session_timeout": str(int(idle_in_transaction_s * 1000)),
    }


async def create_pool(
    dsn: str,
    *,
    min_size: int = 1,
    max_size: int = 10,
    command_timeout_s: float = 5.0,
    idle_in_transaction_s: float = 3.0,
    application: str = "doorbuster",
) -> Pool:
    """Open a pool of connections that decode jsonb, each statement bounded by `command_timeout_s`."""
    return await asyncpg.create_pool(
        dsn,
        min_size=min_size,
        max_size=max_size,
        command_timeout=command_timeout_s,
        timeout=CONNECT_TIMEOUT_S,
        init=_prepare,
        server_settings=_session(application, idle_in_transaction_s),
    )


async def create_read_pool(dsn: str, *, max_size: int, command_timeout_s: float, application: str) -> Pool:
    """Open a pool for reading alone. Its sessions keep no state: resetting one would be a round trip a read."""
    return await asyncpg.create_pool(
        dsn,
        min_size=0,
        max_size=max_size,
        command_timeout=command_timeout_s,
        timeout=CONNECT_TIMEOUT_S,
        init=_prepare,
        reset=_leave,
        server_settings=_session(application, READ_IDLE_S) | {"default_transaction_read_only": "on"},
    )


async def _leave(_connection: object) -> None:
    """Leave the session as it is."""


async def connect(
    dsn: str,
    *,
    command_timeout_s: float = 5.0,
    transaction_timeout_s: float | None = None,
    application: str = "doorbuster",
    steady: bool = True,
) -> Connection:
    """Open one connection like those of the pools; not `steady` where whole tables are asked about, once.

    With `transaction_timeout_s` Postgres itself ends a session whose transaction takes longer.
    """
    session = _session(application, transaction_timeout_s or command_timeout_s, steady=steady)
    if transaction_timeout_s is not None:
        session["transaction_timeout"] = str(int(transaction_timeout_s * 1000))
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(
        dsn,
        command_timeout=command_timeout_s,
        timeout=CONNECT_TIMEOUT_S,
        server_settings=session,
    )
    await _prepare(connection)
    return connection
