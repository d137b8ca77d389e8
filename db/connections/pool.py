"""Connection pools. Owns how a connection is made, to the primary (`primary.py`) or to a server to read from.

What a session needs is told when it begins; behind a pooler in transaction mode, where the next transaction may have
another session, it precedes each transaction instead, and nothing is prepared. Never retries a statement.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import asyncpg
import msgspec

from db.connections import server_connection
from db.connections.fence import NoPrimaryError
from db.connections.primary import servers
from db.connections.server_connection import ServerConnection, identify

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    from db.connections.primary import Host, Servers

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

Role: TypeAlias = Literal["primary", "any"]
"""Which server a connection leads to: the one that is written to, or whichever is named."""

CONNECT_TIMEOUT_S = 4.0
ONE_OF_SEVERAL_S = 1.5
"""The same where another server may have taken the place of one that hangs."""
STATEMENTS_KEPT = 100
"""Prepared statements of a session that is its connection's own."""
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


class _Terms(NamedTuple):
    """How a connection is wanted."""

    role: Role
    session: dict[str, str]
    command_timeout_s: float


async def _open(url: str, terms: _Terms, *_: Any, **_of_the_pool: Any) -> ServerConnection:
    """Connect, and see to it that the server may be written to, if it is to be.

    Raises:
        NoPrimaryError, StalePrimaryError, or another of `doorbuster.failures.POSTGRES_FAILED`.
    """
    known = servers(url)
    host = await (known.primary() if terms.role == "primary" else known.any())
    async with asyncio.timeout(ONE_OF_SEVERAL_S if known.are_several else CONNECT_TIMEOUT_S):
        connection = await _connect(host, terms)
        try:
            await _take_in(connection, known, host, terms.role)
        except BaseException:
            connection.terminate()
            raise
    return connection


async def _connect(host: Host, terms: _Terms) -> ServerConnection:
    name = terms.session["application_name"]
    connection: ServerConnection = await asyncpg.connect(
        host.url,
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=terms.command_timeout_s,
        connection_class=server_connection.ServerConnection,
        statement_cache_size=0 if host.is_pooled else STATEMENTS_KEPT,
        server_settings={"application_name": name} if host.is_pooled else terms.session,
    )
    connection.name = host.name
    if host.is_pooled:
        connection.set_for_each_transaction(_for_a_transaction(terms.session))
    return connection


async def _take_in(connection: ServerConnection, known: Servers, host: Host, role: Role) -> None:
    """Learn which server it is, and keep within the fence what is written to."""
    connection.identity = identity = await identify(connection)
    if (identity.process_id != connection.get_server_pid()) != host.is_pooled and not host.is_pooled:
        host.identity = None
        raise NoPrimaryError(f"{host.name} was a server, and is a pooler now")
    await _prepare(connection)
    if role == "any":
        return
    if identity.is_standby:
        raise NoPrimaryError(f"{host.name} is a standby: it can be read from, and not be written to")
    known.fence.join(connection)
    await known.fence.recall(identity.cluster_id)
    known.fence.check(connection)
    connection.admission = known


def _for_a_transaction(session: dict[str, str]) -> dict[str, str]:
    """Return a session's settings as a transaction has them."""
    names = {"default_transaction_read_only": "transaction_read_only"}
    return {names.get(name, name): value for name, value in session.items() if name != "application_name"}


async def create_pool(
    dsn: str,
    *,
    min_size: int = 1,
    max_size: int = 10,
    command_timeout_s: float = 5.0,
    idle_in_transaction_s: float = 3.0,
    application: str = "doorbuster",
) -> Pool:
    """Open a pool of connections to the primary that decode jsonb, each statement bounded by `command_timeout_s`."""
    terms = _Terms("primary", _session(application, idle_in_transaction_s), command_timeout_s)
    return await asyncpg.create_pool(min_size=min_size, max_size=max_size, connect=partial(_open, dsn, terms))


async def create_read_pool(
    dsn: str, *, max_size: int, command_timeout_s: float, application: str, role: Role = "any"
) -> Pool:
    """Open a pool for reading alone. Its sessions keep no state: resetting one would be a round trip a read."""
    session = _session(application, READ_IDLE_S) | {"default_transaction_read_only": "on"}
    return await asyncpg.create_pool(
        min_size=0,
        max_size=max_size,
        connect=partial(_open, dsn, _Terms(role, session, command_timeout_s)),
        reset=_leave,
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
    role: Role = "primary",
) -> ServerConnection:
    """Open one connection like those of the pools; not `steady` where whole tables are asked about, once.

    With `transaction_timeout_s` Postgres itself ends a session whose transaction takes longer.
    """
    session = _session(application, transaction_timeout_s or command_timeout_s, steady=steady)
    if transaction_timeout_s is not None:
        session["transaction_timeout"] = str(int(transaction_timeout_s * 1000))
    return await _open(dsn, _Terms(role, session, command_timeout_s))


def server_of(connection: Connection) -> dict[str, str | int]:
    """Return the server that a connection leads to, for people, and its timeline if it says it."""
    name, identity = getattr(connection, "name", ""), getattr(connection, "identity", None)
    timeline = {"timeline": identity.timeline} if identity is not None and identity.timeline else {}
    return {"primary": name} | timeline
