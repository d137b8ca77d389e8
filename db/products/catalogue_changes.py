"""The outbox of catalogue changes. Owns how it is read so that no change is passed over; triggers write it.

Two ways to read it. A relay has a cursor that outlives it, and waits for open transactions as the order relay does. A
process that follows has the snapshot of its last look: what is visible now and was not then is new, whatever was open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from db.query_files import load
from db.work.outbox import OutboxPlace

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

    from db.connections.pool import Connection

_SQL = load("catalogue_changes")


class Change(NamedTuple):
    """A product has this version now; `former_category` where it moved away from one."""

    product_id: str
    version: int
    category: str
    former_category: str | None = None


class RelayedChange(NamedTuple):
    """A change with its place in the outbox."""

    change: Change
    age_s: float
    place: OutboxPlace


class News(NamedTuple):
    """What a process that follows sees: the changes, where to look on from, and the log's position covering them."""

    snapshot: str
    lsn: int
    changes: list[Change]


async def recent(connection: Connection, *, within_s: float, limit: int) -> News:
    """Begin to follow: return the changes of the last `within_s` seconds, at most `limit`."""
    return _news(await connection.fetchrow(_SQL["recent"], within_s, limit))


async def appeared(connection: Connection, snapshot: str, *, limit: int) -> News:
    """Return the changes committed since `snapshot`, at most `limit`; more than that are lost to the caller."""
    return _news(await connection.fetchrow(_SQL["appeared"], snapshot, limit))


async def unrelayed(connection: Connection, after: OutboxPlace, *, limit: int) -> list[RelayedChange]:
    """Return the changes behind `after` whose predecessors have all been committed or rolled back, in order."""
    rows = await connection.fetch(_SQL["unrelayed"], str(after.tx), after.position, limit)
    return [
        RelayedChange(Change(*list(row.values())[:4]), row["age_s"], OutboxPlace(row["tx"], row["position"]))
        for row in rows
    ]


async def any_unrelayed(connection: Connection, relay: str, *, age_s: float = 0.0) -> bool:
    """Say whether there is anything of this age for this relay."""
    return bool(await connection.fetchval(_SQL["any_unrelayed"], relay, age_s))


async def forget(connection: Connection, relays: Sequence[str], *, older_than_s: float, limit: int) -> None:
    """Delete changes that all of these relays have passed, at most `limit`."""
    await connection.execute(_SQL["forget_changes"], list(relays), older_than_s, limit)


async def log_position(connection: Connection) -> int:
    """Return how far the primary's log is written: everything committed by now lies before it."""
    position: int = await connection.fetchval(_SQL["lsn"])
    return position


def _news(row: asyncpg.Record | None) -> News:
    assert row is not None
    return News(row["snapshot"], row["lsn"], [Change(*change) for change in row["changes"]])
