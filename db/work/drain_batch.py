"""What the drain says to Postgres in one batch's transaction. Owns the statements' order of locks, decides nothing.

Order of locks: the shift's row, then stock and allotments in product order, then purchases in key order; only then rows
are added (docs/locking.md).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import asyncpg

from db.query_files import load
from db.work import copy_rows
from doorbuster.errors import LeaseLostError

if TYPE_CHECKING:
    from db.connections.pool import Connection

_SQL = load("drain_batch")

PIECE = 250
"""Rows that Postgres is sent at a time while the next are made."""
AHEAD = 2
"""Pieces of the orders' own rows that are made while Postgres still takes in the last of their lines."""


class Letter(NamedTuple):
    """An entry that becomes a dead letter; order and customer as far as it can be read."""

    entry_id: str
    order_id: UUID | None
    customer_id: str | None
    payload: bytes
    reason: str
    detail: str


class StockRaceError(Exception):
    """A guarded update found less than the locked rows had shown: a lock is missing somewhere."""


async def renew_lease(
    connection: Connection, sale_number: int, *, name: str, fence: int, lease_s: float, batch_max: int | None = None
) -> tuple[datetime, timedelta]:
    """Renew the lease; return the batch's time and how long its reservations hold.

    Raises:
        LeaseLostError: another shift came after.
    """
    row = await connection.fetchrow(_SQL["renew_lease"], name, fence, lease_s, batch_max, sale_number)
    if row is None:
        raise LeaseLostError(f"the lease {name} with fence {fence} is held by another")
    return row["now"], row["hold"]


async def lock_sellable(
    connection: Connection, sale_number: int, product_ids: Collection[str], *, since: datetime | None = None
) -> list[asyncpg.Record]:
    """Lock stock and allotment of the products, in product order, and return what each has left.

    With what each cost at any time after `since`; None: only what it costs now.
    """
    return await connection.fetch(_SQL["lock_sellable"], sale_number, list(product_ids), since)


async def lock_standby(connection: Connection, sale_number: int) -> int:
    """Let no other batch of the sale put orders on its list; return how many more may wait there."""
    most: int = await connection.fetchval(_SQL["lock_standby"], sale_number)
    waiting: int = await connection.fetchval(_SQL["count_standby"], sale_number)
    return most - waiting


async def read_strays(connection: Connection, product_ids: Collection[str]) -> list[asyncpg.Record]:
    """Return price and currency of products that are not in the sale; nothing is locked, for nothing is taken."""
    return await connection.fetch(_SQL["read_strays"], list(product_ids))


async def lock_purchases(
    connection: Connection, sale_number: int, pairs: Collection[tuple[str, str]]
) -> dict[tuple[str, str], int]:
    """Lock and return the units that (product, customer) have."""
    ordered = sorted(pairs)
    products, customers = [p for p, _ in ordered], [c for _, c in ordered]
    copy_rows = await connection.fetch(_SQL["lock_purchases"], sale_number, products, customers)
    return {(row["product_id"], row["customer_id"]): row["quantity"] for row in copy_rows}


async def known_orders(connection: Connection, order_ids: Collection[UUID]) -> dict[UUID, bytes]:
    """Return the fingerprints of those orders that exist already."""
    copy_rows = await connection.fetch(_SQL["known_orders"], list(order_ids))
    return {row["order_id"]: row["fingerprint"] for row in copy_rows}


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


async def add_orders(
    connection: Connection,
    new: Iterable[copy_rows.NewOrder],
    made: copy_rows.OrderRows,
    *,
    people: list[bytes],
    sent: Callable[[], None],
) -> None:
    """Add orders with all of their rows by COPY; `sent` is called when all are made and the first sent.

    Their lines go first: they are quickly made, and Postgres is at work on them while the first of the orders' own are.
    `people` are rows of who is behind them.
    """
    lines = copy_rows.in_pieces(made.lines(new), rows_each=PIECE)
    orders = copy_rows.in_pieces(made.orders(), rows_each=PIECE)
    ahead: list[bytes] = []

    def make_ahead() -> None:
        ahead.extend(islice(orders, AHEAD))

    await _copy(connection, "order_lines", copy_rows.copied_in_pieces(lines, sent=make_ahead))
    await _copy(connection, "orders", copy_rows.copied_in_pieces(chain(ahead, orders), sent=sent))
    for table, those in (
        ("people_counts", people),
        ("reservations", made.reservations),
        ("standby", made.standby),
        ("order_events", made.events),
    ):
        if those:
            await _copy(connection, table, copy_rows.copied(those))


async def _copy(connection: Connection, table: str, source: Any) -> None:
    await connection.copy_to_table(table, source=source, columns=copy_rows.COLUMNS[table], format="binary")


async def dead_letter(
    connection: Connection,
    sale_number: int,
    partition: int,
    letters: Iterable[Letter],
) -> int:
    """Put entries aside as dead letters.

    Returns how many were not there yet: one that failed before stays the one it was.
    """
    copy_rows = list(letters)
    if not copy_rows:
        return 0
    new = await _without_known(connection, (sale_number, partition), copy_rows)
    columns = [list(column) for column in zip(*new, strict=True)] or [[]] * len(Letter._fields)
    done = await connection.execute(_SQL["dead_letter"], sale_number, partition, *columns)
    return int(done.rpartition(" ")[2])


async def known_payloads(connection: Connection, place: tuple[int, int], payloads: Collection[bytes]) -> set[bytes]:
    """Return those of the payloads that lie among the partition's dead letters."""
    hashes = [hashlib.md5(payload, usedforsecurity=False).hexdigest() for payload in payloads]
    return {
        row["payload"]
        for row in await connection.fetch(_SQL["known_letters"], hashes)
        if (row["sale_number"], row["partition"]) == place
    }


async def _without_known(connection: Connection, place: tuple[int, int], letters: list[Letter]) -> list[Letter]:
    """Count a failure for entries that are dead letters already, and came again; return the others."""
    hashes = [hashlib.md5(letter.payload, usedforsecurity=False).hexdigest() for letter in letters]
    found = {
        row["payload"]: row
        for row in await connection.fetch(_SQL["known_letters"], hashes)
        if (row["sale_number"], row["partition"]) == place
    }
    for letter in letters:
        row = found.get(letter.payload)
        if row is not None and row["entry_id"] != letter.entry_id:
            await connection.execute(_SQL["fail_again"], row["dead_letter_id"], letter.reason, letter.detail)
    return [letter for letter in letters if letter.payload not in found]
