"""The catalogue's rows as shoppers read them, and price windows. Owns the reads; caching is the catalogue's."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import asyncpg
import msgspec

from db.query_files import load
from doorbuster.errors import InvalidError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from db.connections.pool import Connection

_SQL = load("catalogue")


class Window(NamedTuple):
    """A price for a time; microseconds of the Unix epoch, from the start until before the end."""

    starts_us: int
    ends_us: int | None
    price: int


class Item(msgspec.Struct, frozen=True, array_like=True):
    """A product as read: with its price windows and the units in stock at that moment."""

    product_id: str
    name: str
    brand: str
    category: str
    description: str | None
    price: int
    currency: str
    active: bool
    attributes: dict[str, Any] | None
    version: int
    updated_at: datetime
    units: int
    windows: list[Window]


class PriceWindow(NamedTuple):
    """A price window as ops give it."""

    starts_at: datetime
    ends_at: datetime | None
    price: int


async def read_product(connection: Connection, product_id: str) -> Item | None:
    """Return the product, also one that is not active."""
    row = await connection.fetchrow(_SQL["read_product"], product_id)
    return None if row is None else item_of(row)


async def read_products(connection: Connection, product_ids: Sequence[str]) -> list[Item | None]:
    """Return several as `read_product` does, in the order asked for."""
    found = {row["product_id"]: row for row in await connection.fetch(_SQL["read_products"], list(product_ids))}
    return [item_of(found[one]) if one in found else None for one in product_ids]


async def list_products(connection: Connection, category: str | None, *, after: str, limit: int) -> list[Item]:
    """Return active products behind `after` in the order of their ids; of all categories when it is None."""
    if category is None:
        rows = await connection.fetch(_SQL["list_all"], after, limit)
    else:
        rows = await connection.fetch(_SQL["list_category"], category, after, limit)
    return [item_of(row) for row in rows]


async def set_prices(connection: Connection, product_id: str, windows: Sequence[PriceWindow]) -> None:
    """Replace a product's price windows; the product gets a new version by it.

    Raises:
        NotFoundError: there is no such product.
        InvalidError: two windows begin at the same time, or one ends before it begins.
    """
    columns = [list(column) for column in zip(*windows, strict=True)] or [[], [], []]
    try:
        async with connection.transaction():
            await connection.execute(_SQL["remove_prices"], product_id)
            await connection.execute(_SQL["add_prices"], product_id, *columns)
    except asyncpg.ForeignKeyViolationError as error:
        raise NotFoundError(f"there is no product {product_id!r}") from error
    except asyncpg.UniqueViolationError as error:
        raise InvalidError("two windows begin at once", [("starts_at", "stands twice")]) from error
    except asyncpg.CheckViolationError as error:
        raise InvalidError("a window must end after it begins", [("ends_at", "must be after starts_at")]) from error


async def list_prices(connection: Connection, product_id: str) -> list[PriceWindow]:
    """Return a product's price windows, the first to begin first."""
    return [PriceWindow(*row.values()) for row in await connection.fetch(_SQL["list_prices"], product_id)]


def item_of(row: asyncpg.Record) -> Item:
    """Return a row as it is read."""
    fields = dict(row)
    return Item(**fields | {"windows": [Window(*window) for window in fields["windows"]]})
