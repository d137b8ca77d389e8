"""The log of what ops changed. Owns its rows; a row is written in the transaction of the change it tells of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from db.query_files import load

if TYPE_CHECKING:
    from db.connections.pool import Connection

_SQL = load("ops_log")


class LogEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One change: `target` is like `sale:friday` or `product:lamp`."""

    entry_id: int
    at: datetime
    action: str
    target: str
    change: dict[str, Any]
    operator: str
    """As whoever holds the ops key names itself; empty: it does not."""
    key_name: str | None
    """Name of the key that the call was made with; None: it was none, or the change is older than such names."""


class Author(msgspec.Struct, frozen=True):
    """Who makes a change: as it names itself, and the name of its key."""

    operator: str = ""
    key_name: str | None = None


NOBODY = Author()


async def note(
    connection: Connection, action: str, target: str, change: Mapping[str, Any], *, author: Author = NOBODY
) -> int:
    """Write down a change; return the entry's id."""
    told = msgspec.to_builtins(change)
    entry: int = await connection.fetchval(_SQL["note"], action, target, told, author.operator, author.key_name)
    return entry


async def amend(connection: Connection, entry_id: int, change: Mapping[str, Any]) -> None:
    """Let an entry tell of more, in the transaction of what is added."""
    await connection.execute(_SQL["amend"], entry_id, msgspec.to_builtins(change))


async def entries(
    connection: Connection, *, target: str | None = None, before: int | None = None, limit: int = 50
) -> list[LogEntry]:
    """Return changes, newest first."""
    if target is None:
        rows = await connection.fetch(_SQL["list"], before, limit)
    else:
        rows = await connection.fetch(_SQL["list_of_target"], before, limit, target)
    return [LogEntry(**row) for row in rows]
