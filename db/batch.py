"""What the drain says to Postgres in one batch's transaction. Owns the statements' order of locks, decides nothing.

Order of locks: the shift's row, then stock and allotments in product order, then purchases in key order; only then rows
are added (docs/locking.md).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg

from db.sql import load
from doorbuster.errors import LeaseLostError

if TYPE_CHECKING:
    from db.pool import Connection

_SQL = load("batch")

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "orders": (
        "order_id", "sale_number", "partition", "entry_seq", "version", "status", "accepted_at", "updated_at",
        "total", "currency", "customer_id", "reason", "payment_token", "fingerprint", "metadata",
    ),
    "order_lines": ("order_id", "line", "quantity", "unit_price", "product_id"),
    "reservations": (
        "order_id", "sale_number", "partition", "due_at", "expires_at", "total", "currency", "payment_token",
    ),
    "order_events": ("order_id", "seq", "status", "at", "reason"),
}  # fmt: skip


class StockRaceError(Exception):
    """A guarded update found less than the locked rows had shown: a lock is missing somewhere."""


async def hold_shift(
    connection: Connection, sale_number: int, *, name: str, fence: int, lease_s: float
) -> tuple[datetime, timedelta]:
    """Renew the lease; return the batch's time and how long its reservations hold.

    Raises:
        LeaseLostError: another shift came after.
    """
    row = await connection.fetchrow(_SQL["hold_shift"], name, fence, lease_s, sale_number)
    if row is None:
        raise LeaseLostError(f"the lease {name} with fence {fence} is held by another")
    return row["now"], row["hold"]


async def lock_shelf(connection: Connection, sale_number: int, product_ids: Collection[str]) -> list[asyncpg.Record]:
    """Lock stock and allotment of the products, in product order, and return what each has left."""
    return await connection.fetch(_SQL["lock_shelf"], sale_number, list(product_ids))


async def lock_purchases(
    connection: Connection, sale_number: int, pairs: Collection[tuple[str, str]]
) -> dict[tuple[str, str], int]:
    """Lock and return the units that (product, customer) have."""
    products, customers = [p for p, _ in pairs], [c for _, c in pairs]
    rows = await connection.fetch(_SQL["lock_purchases"], sale_number, products, customers)
    return {(row["product_id"], row["customer_id"]): row["quantity"] for row in rows}


async def known_orders(connection: Connection, order_ids: Collection[UUID]) -> dict[UUID, bytes]:
    """Return the fingerprints of those orders that exist already."""
    rows = await connection.fetch(_SQL["known_orders"], list(order_ids))
    return {row["order_id"]: row["fingerprint"] for row in rows}


async def take(connection: Connection, sale_number: int, taken: Mapping[str, int]) -> None:
    """Move units from stock to reserved and count them against the sale's allotments.

    Raises:
        StockRaceError: a row had less than it should; nothing may be committed.
    """
    products, units = list(taken), list(taken.values())
    reserved = await connection.execute(_SQL["reserve_stock"], products, units)
    counted = await connection.execute(_SQL["take_allotment"], sale_number, products, units)
    for done in (reserved, counted):
        if done != f"UPDATE {len(taken)}":
            raise StockRaceError(f"{done} of {len(taken)} products")


async def count_purchases(connection: Connection, sale_number: int, bought: Mapping[tuple[str, str], int]) -> None:
    """Add to what customers have of limited products."""
    products, customers = [p for p, _ in bought], [c for _, c in bought]
    await connection.execute(_SQL["count_purchases"], sale_number, products, customers, list(bought.values()))


async def add_rows(connection: Connection, table: str, rows: list[tuple[object, ...]]) -> None:
    """Add rows, in order, by COPY."""
    if rows:
        await connection.copy_records_to_table(table, records=rows, columns=COLUMNS[table])


async def bury(
    connection: Connection,
    sale_number: int,
    partition: int,
    letters: Iterable[tuple[str, UUID | None, bytes, str, str]],
) -> int:
    """Put entries aside as dead letters: (entry id, order id, payload, reason, detail) each.

    Returns how many were not there yet.
    """
    columns = [list(column) for column in zip(*letters, strict=True)]
    if not columns:
        return 0
    done = await connection.execute(_SQL["bury"], sale_number, partition, *columns)
    return int(done.rpartition(" ")[2])
