"""Products: the catalogue's rows. Owns writing them; reading them fast is the catalogue's business."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import asyncpg
import msgspec

from db.sql import load
from doorbuster.errors import ConflictError

if TYPE_CHECKING:
    from db.pool import Connection

_SQL = load("products")
CURRENCY_OF_SALES = "currency_of_sales"
"""What a change of currency runs against while a sale that is not closed has the product."""


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """A product; `price` in minor units of `currency`."""

    product_id: str
    name: str
    brand: str
    category: str
    price: int
    currency: str
    description: str | None = None
    active: bool = True
    attributes: dict[str, Any] = msgspec.field(default_factory=dict)
    version: int = 0
    updated_at: datetime | None = None


class ImportRow(NamedTuple):
    """A line of a catalogue file: the product, and the units to receive if it is new."""

    line: int
    product: Product
    stock: int | None = None


async def put_product(connection: Connection, product: Product) -> Product:
    """Write a product, new or changed, with a stock row; return it as stored.

    Raises:
        ConflictError: its currency cannot change now: a sale that is not closed has it.
    """
    async with connection.transaction():
        try:
            await connection.execute(
                _SQL["put_product"], product.product_id, product.name, product.brand, product.category,
                product.description, product.price, product.currency, product.active, product.attributes,
            )  # fmt: skip
        except asyncpg.CheckViolationError as error:
            if error.constraint_name != CURRENCY_OF_SALES:
                raise
            raise ConflictError(str(error)) from error
        stored = await get_product(connection, product.product_id)
    assert stored is not None
    return stored


async def get_product(connection: Connection, product_id: str) -> Product | None:
    """Return the product of this id."""
    row = await connection.fetchrow(_SQL["get_product"], product_id)
    return None if row is None else Product(**row)


async def import_products(connection: Connection, rows: Sequence[ImportRow]) -> None:
    """Write a chunk of a catalogue in one transaction, by COPY and merge; the same chunk again changes nothing."""
    async with connection.transaction():
        await connection.execute(_SQL["make_import_table"])
        await connection.copy_records_to_table("imported", records=[_record(row) for row in rows])
        await connection.execute(_SQL["merge_imported_products"])
        await connection.execute(_SQL["stock_imported_products"])


async def import_or_name(connection: Connection, rows: Sequence[ImportRow]) -> list[tuple[int, str]]:
    """Write a chunk as `import_products` does, but for the lines that the database refuses: return them, and why."""
    try:
        await import_products(connection, rows)
    except asyncpg.IntegrityConstraintViolationError as error:
        if len(rows) == 1:
            return [(rows[0].line, str(error))]
        middle = len(rows) // 2
        refused = await import_or_name(connection, rows[:middle])
        return refused + await import_or_name(connection, rows[middle:])
    return []


async def settle_catalogue(connection: Connection) -> None:
    """Bring statistics and indexes up to date after an import, and not whenever autovacuum comes by."""
    await connection.execute(_SQL["settle_catalogue"])


def _record(row: ImportRow) -> tuple[object, ...]:
    one = row.product
    return (
        row.line, one.product_id, one.name, one.brand, one.category, one.description, one.price, one.currency,
        one.active, one.attributes, row.stock,
    )  # fmt: skip
