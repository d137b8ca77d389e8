"""How late each stage behind the intake is, in seconds. Owns those questions; changes nothing and judges nothing."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

from db.query_files import load

if TYPE_CHECKING:
    from db.connections.pool import Connection
    from db.work.due_work import Place

_SQL = load("progress")


class LimitedShift(NamedTuple):
    """A shift that something bounds: how much it takes at a time, or how many payments a second its gateway takes."""

    name: str
    batch_max: int | None
    payments_per_s: float | None
    payments_paused: str | None = None
    """Why it asks the payment provider for nothing now: `down` or `rate_limited`."""


async def oldest_payments(connection: Connection, places: Collection[Place]) -> dict[Place, float]:
    """Return of each partition for how many seconds its oldest payment has been due; 0: none is."""
    columns = [list(column) for column in zip(*places, strict=True)] or [[], []]
    rows = await connection.fetch(_SQL["oldest_payments"], *columns)
    return {(row["sale_number"], row["partition"]): max(row["age_s"] or 0.0, 0.0) for row in rows}


async def oldest_event(connection: Connection, relay: str) -> float:
    """Return the age in seconds of the oldest order event that a relay has not published; 0: there is none."""
    return max(await connection.fetchval(_SQL["oldest_event"], relay) or 0.0, 0.0)


async def oldest_change(connection: Connection, relay: str) -> float:
    """Return the age in seconds of the oldest catalogue change that a relay has not told; 0: there is none."""
    return max(await connection.fetchval(_SQL["oldest_change"], relay) or 0.0, 0.0)


async def limited_shifts(connection: Connection) -> list[LimitedShift]:
    """Return the shifts that something bounds."""
    return [LimitedShift(*row.values()) for row in await connection.fetch(_SQL["limited_shifts"])]


async def paused(connection: Connection, sale_number: int) -> str | None:
    """Return why whoever asks the provider for a sale's money leaves it alone now, None if nobody does."""
    return (await paused_among(connection, [sale_number]))[sale_number]


async def paused_among(connection: Connection, sale_numbers: Collection[int]) -> dict[int, str | None]:
    """Return the same of each of these sales, at one look."""
    limited = [(one.name, one.payments_paused) for one in await limited_shifts(connection) if one.payments_paused]
    found = {}
    for number in sale_numbers:
        ours = ("money", f"settle:{number}:")
        found[number] = next((why for name, why in limited if name.startswith(ours)), None)
    return found
