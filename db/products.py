"""Products: the catalogue's rows. Owns writing them; reading them fast is the catalogue's business."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from db.sql import load

if TYPE_CHECKING:
    from db.pool import Connection

_SQL = load("products")


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
    """Write a product, new or changed, with a stock row; return it as stored."""
    async with connection.transaction():
        await connection.execute(
            _SQL["put_product"], product.product_id, product.name, product.brand, product.category,
            product.description, product.price, product.currency, product.active, product.attributes,
        )  # fmt: skip
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


async def settle_catalogue(connection: Connection) -> None:
    """Bring statistics and indexes up to date after an import, and not whenever autovacuum comes by."""
    await connection.execute(_SQL["settle_catalogue"])


def _record(row: ImportRow) -> tuple[object, ...]:
    one = row.product
    return (
        row.line, one.product_id, one.name, one.brand, one.category, one.description, one.price, one.currency,
        one.active, one.attributes, row.stock,
    )  # fmt: skip
