"""What a sale offers to shoppers, as Postgres has it now. Owns the reading; reserves nothing, promises nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from db.query_files import load

if TYPE_CHECKING:
    from db.connections.pool import Connection

_SQL = load("offers")


class SaleOffer(msgspec.Struct, frozen=True, kw_only=True):
    """A product of a sale; prices in minor units."""

    product_id: str
    name: str
    sale_price: int | None
    """Of this sale; None: the product's own."""
    price: int
    """The product's own, where no window of `windows` holds."""
    currency: str
    limit_per_customer: int | None
    limit_email: int | None
    limit_card: int | None
    limit_address: int | None
    limit_device: int | None
    units: int
    """What the sale can still sell: a picture, not a promise."""
    windows: tuple[tuple[int, int | None, int], ...]


async def offers_of(connection: Connection, sale_number: int) -> list[SaleOffer]:
    """Return the products of a sale that are not switched off, in the order of their ids."""
    return [
        SaleOffer(**dict(row) | {"windows": tuple(tuple(window) for window in row["windows"] or ())})
        for row in await connection.fetch(_SQL["offers"], sale_number)
    ]
