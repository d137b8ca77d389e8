"""Tables and indexes of a sale, read into the buffers of Postgres by `pg_prewarm`. Owns which, and the bound in bytes.

The extension comes with Postgres. Where it cannot be created the buffers fill as orders come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncpg

from db.query_files import load

if TYPE_CHECKING:
    from db.connections.pool import Connection

_SQL = load("prewarm_buffers")
SHARE = 0.5
"""Of the shared buffers, at most: the rest stays with what is in use."""
TABLES = (
    "sales", "sale_products", "stock", "products", "product_prices", "shifts", "stream_cursors", "relay_cursors",
    "purchases", "people_counts", "reservations", "standby", "orders", "order_lines", "order_events",
)  # fmt: skip
"""The ones that every order touches first."""


async def warm(connection: Connection) -> dict[str, Any]:
    """Read what a sale needs into the buffers; return how much that was, as a check that never stands in the way."""
    if (problem := await _unavailable(connection)) is not None:
        return {"ok": True, "warmed_mb": None, "notes": [f"pg_prewarm is not to be had: {problem}"]}
    left = round(await connection.fetchval(_SQL["shared_buffers"]) * SHARE)
    warmed, skipped = 0, []
    for relation in await connection.fetch(_SQL["relations"], list(TABLES)):
        if relation["bytes"] > left:
            skipped.append(relation["name"])
            continue
        await connection.execute(_SQL["warm_one"], relation["name"])
        left -= relation["bytes"]
        warmed += relation["bytes"]
    said: dict[str, Any] = {"ok": True, "warmed_mb": round(warmed / 2**20, 1)}
    return said | ({"notes": [f"too large for the buffers: {', '.join(skipped)}"]} if skipped else {})


async def _unavailable(connection: Connection) -> str | None:
    """Create the extension if it is not there; return why it cannot be used."""
    if await connection.fetchval(_SQL["has_extension"]):
        return None
    if await connection.fetchval(_SQL["is_read_only"]):
        return "it is not created on the primary"
    try:
        await connection.execute(_SQL["create_extension"])
    except asyncpg.UniqueViolationError:  # another one creates it at this moment
        return None
    except asyncpg.PostgresError as error:
        return str(error)
    return None
