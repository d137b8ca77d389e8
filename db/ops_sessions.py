"""What signing in to the page of ops needs to be stored: second factors, and who signed out. Owns these rows."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from db.query_files import load

if TYPE_CHECKING:
    from db.connections.pool import Connection

ENDED_MAX = 10_000
"""Sessions signed out before their end that are remembered, at most: the newest of them."""

_SQL = load("ops_sessions")


class TotpSalt(NamedTuple):
    """What the secret of a key's second factor is made with, and whether a code of it was shown once."""

    salt: bytes
    confirmed: bool


async def end_session(connection: Connection, session_id: bytes, ends_at: datetime) -> None:
    """Remember that a session was signed out, until it would be over anyway."""
    await connection.execute(_SQL["forget_over"])
    await connection.execute(_SQL["end_session"], session_id, ends_at)


async def ended_sessions(connection: Connection) -> list[bytes]:
    """Return the sessions that were signed out before their end."""
    return [row["session_id"] for row in await connection.fetch(_SQL["ended_sessions"], ENDED_MAX)]


async def begin_totp(connection: Connection, key_id: int, salt: bytes) -> str | None:
    """Give a key a second factor that is not confirmed yet; return the key's name, None if it is no good one."""
    name: str | None = await connection.fetchval(_SQL["begin_totp"], key_id, salt)
    return name


async def totp_of(connection: Connection, key_id: int) -> TotpSalt | None:
    """Return a key's second factor, None if it has none."""
    row = await connection.fetchrow(_SQL["totp_of"], key_id)
    return None if row is None or row["totp_salt"] is None else TotpSalt(row["totp_salt"], row["confirmed"])


async def use_totp(connection: Connection, key_id: int, step: int, salt: bytes) -> str | None:
    """Use a time step up, which confirms the factor; return the key's name, None if it was used before."""
    name: str | None = await connection.fetchval(_SQL["use_totp"], key_id, step, salt)
    return name


async def drop_totp(connection: Connection, key_id: int) -> str | None:
    """Take the second factor off a key; return the key's name, None if it had none."""
    name: str | None = await connection.fetchval(_SQL["drop_totp"], key_id)
    return name
