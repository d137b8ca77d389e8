"""Products: the catalogue's rows. Owns writing them; reading them fast is the catalogue's business."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import asyncpg
import msgspec
from msgspec import UNSET, UnsetType

from db.query_files import load
from doorbuster.errors import ConflictError

if TYPE_CHECKING:
    from db.connections.pool import Connection

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


class ImportedProduct(msgspec.Struct, frozen=True, kw_only=True):
    """A product as a line of a catalogue has it: what is unset stays as it is in a product that exists."""

    product_id: str
    name: str
    brand: str
    category: str
    price: int
    currency: str
    description: str | UnsetType | None = UNSET
    active: bool | UnsetType = UNSET
    attributes: bytes | UnsetType = UNSET
    """JSON, and not what it stands for, which takes twenty times as much memory."""


class ImportRow(NamedTuple):
    """A line of a catalogue file: the product, and the units to receive if it is new."""

    line: int
    product: Product | ImportedProduct
    stock: int | None = None


class Merged(NamedTuple):
    """What a chunk did to products."""

    new: int
    changed: int


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


async def import_products(connection: Connection, rows: Sequence[ImportRow]) -> Merged:
    """Write a chunk of a catalogue in one transaction, by COPY and merge; no product may stand in it twice.

    The same chunk again changes nothing.
    """
    async with connection.transaction():
        await connection.execute(_SQL["make_import_table"])
        await connection.copy_records_to_table("imported", records=[_record(row) for row in rows])
        merged = await connection.fetchrow(_SQL["merge_imported_products"])
        await connection.execute(_SQL["stock_imported_products"])
    assert merged is not None
    return Merged(**merged)


async def begin_lines(connection: Connection) -> None:
    """Begin to remember in which line of an import each product stood."""
    await connection.execute(_SQL["make_import_lines"])
    await connection.execute(_SQL["empty_import_lines"])


async def earlier_lines(connection: Connection, rows: Sequence[ImportRow]) -> dict[str, int]:
    """Return the lines in which the rows' products stood before."""
    ids = [row.product.product_id for row in rows]
    found = await connection.fetch(_SQL["earlier_import_lines"], ids)
    return {row["product_id"]: row["line"] for row in found}


async def keep_lines(connection: Connection, rows: Sequence[ImportRow]) -> None:
    """Remember in which lines the rows' products stand; on the session, whatever becomes of the rows."""
    ids = [row.product.product_id for row in rows]
    await connection.execute(_SQL["keep_import_lines"], ids, [row.line for row in rows])


async def settle_catalogue(connection: Connection) -> None:
    """Bring statistics and indexes up to date after an import, and not whenever autovacuum comes by."""
    await connection.execute(_SQL["settle_catalogue"])


def _record(row: ImportRow) -> tuple[object, ...]:
    one = row.product
    described = one.description is not UNSET
    return (
        row.line, one.product_id, one.name, one.brand, one.category, described,
        one.description if described else None, one.price, one.currency,
        None if one.active is UNSET else one.active, None if one.attributes is UNSET else one.attributes, row.stock,
    )  # fmt: skip
