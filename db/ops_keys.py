"""The keys of ops. Owns their rows; a key itself is never here, only its digest."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import asyncpg
import msgspec

from db.query_files import load
from doorbuster.contract.ops_keys import Role
from doorbuster.errors import ConflictError

if TYPE_CHECKING:
    from db.connections.pool import Connection

KEYS_MAX = 1000
"""Keys that are not revoked, at most: every intake process keeps a copy of all of them."""

_SQL = load("ops_keys")


class LiveKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that is good, for so many seconds more; None: until it is revoked."""

    key_id: int
    name: str
    role: Role
    digest: bytes
    good_for_s: float | None


class StoredKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as lists show it."""

    key_id: int
    name: str
    role: Role
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    has_totp: bool
    totp_confirmed_at: datetime | None


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that is to be made."""

    name: str
    role: Role
    digest: bytes
    created_by: str
    expires_at: datetime | None


async def live_keys(connection: Connection) -> list[LiveKey]:
    """Return every key that is good now."""
    return [LiveKey(**row) for row in await connection.fetch(_SQL["live_keys"], 2 * KEYS_MAX)]


async def make_key(connection: Connection, new: NewKey) -> StoredKey:
    """Store a new key.

    Raises:
        ConflictError: there is one of this name that is not revoked, or there are too many.
    """
    if await connection.fetchval(_SQL["count_live"], KEYS_MAX) >= KEYS_MAX:
        raise ConflictError(f"There are {KEYS_MAX:,} keys that are not revoked; revoke some first")
    terms = (new.name, new.role, new.digest, new.created_by, new.expires_at)
    try:
        row = await connection.fetchrow(_SQL["make_key"], *terms)
    except asyncpg.UniqueViolationError as error:
        raise ConflictError(f"There is a key {new.name!r} already; revoke it first, or choose another name") from error
    assert row is not None
    return StoredKey(**row)


async def list_keys(connection: Connection, *, before: int | None, limit: int) -> list[StoredKey]:
    """Return keys, newest first, also those that are good no more."""
    return [StoredKey(**row) for row in await connection.fetch(_SQL["list_keys"], before, limit)]


async def revoke_key(connection: Connection, key_id: int) -> str | None:
    """Revoke a key; return its name, None if it was good no more already."""
    name: str | None = await connection.fetchval(_SQL["revoke_key"], key_id)
    return name


async def has_key(connection: Connection, key_id: int) -> bool:
    """Say whether there is, or was, a key of this id."""
    return await connection.fetchval(_SQL["name_of_key"], key_id) is not None
