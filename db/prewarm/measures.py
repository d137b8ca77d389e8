"""What a sale's readiness is measured by in Postgres: units, drains, payments, webhooks. Owns these questions alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from db.query_files import load

if TYPE_CHECKING:
    from db.connections.pool import Connection

_SQL = load("prewarm_measures")
BUSY_LEAST_S = 3.0
"""Drains that were busy for less time than this tell nothing."""


class Measures(msgspec.Struct, frozen=True, kw_only=True):
    """What Postgres says for a sale."""

    units: int
    """That it can still sell."""
    knee_per_s: float | None
    """Of its last rehearsal."""
    drained_per_s: float | None
    """Of past drains, while there was always more for them to do."""
    payments_per_s: float | None
    payments_paused: str | None
    webhooks_paused: list[tuple[int, str]]


async def measure(connection: Connection, sale_number: int) -> Measures:
    """Return what Postgres says for a sale."""
    row = await connection.fetchrow(_SQL["measure"], sale_number, BUSY_LEAST_S)
    assert row is not None
    paused = await connection.fetch(_SQL["paused_webhooks"])
    return Measures(
        **dict(row),
        knee_per_s=await connection.fetchval(_SQL["last_knee"], sale_number),
        webhooks_paused=[(found["webhook_id"], found["state"]) for found in paused],
    )


async def note_drained(connection: Connection, sale_number: int, *, drained: int, busy_s: float) -> None:
    """Add what a sale's drains did in a while in which there was always more for them to do."""
    await connection.execute(_SQL["note_drained"], sale_number, drained, busy_s)
