"""What is cached of the catalogue: a product, a page of a listing. Owns their form and their loads. No HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from catalogue.cache import subjects
from catalogue.cache.read_through import Loaded, ReadSource
from db.products import catalogue as rows
from db.products.catalogue import Item

if TYPE_CHECKING:
    from collections.abc import Sequence

    from db.connections.pool import Connection

LIMIT_MAX = 100
ITEM = "item"
LOW_UNITS = 10
"""So many units left or fewer are shown as low."""

_encode = msgspec.msgpack.Encoder().encode
_item = msgspec.msgpack.Decoder(Item)
_page = msgspec.msgpack.Decoder(list[Item])


def product(product_id: str) -> ReadSource:
    """Return how to read a product."""

    async def load(connection: Connection, _lsn: int) -> Loaded:
        return _loaded(await rows.read_product(connection, product_id))

    return ReadSource(subjects.product(product_id), ITEM, load, product_id, load_many=_load_many)


async def _load_many(connection: Connection, product_ids: Sequence[str]) -> list[Loaded]:
    return [_loaded(item) for item in await rows.read_products(connection, product_ids)]


def _loaded(item: Item | None) -> Loaded:
    return Loaded(0, b"") if item is None else Loaded(item.version, _encode(item))


def listing(category: str | None, *, after: str, limit: int) -> ReadSource:
    """Return how to read a page of a listing; one item more than shown tells whether there is another page."""

    async def load(connection: Connection, lsn: int) -> Loaded:
        return Loaded(lsn, _encode(await rows.list_products(connection, category, after=after, limit=limit + 1)))

    subject = subjects.EVERYTHING if category is None else subjects.listing(category)
    return ReadSource(subject, f"{limit}/{after}", load, listed=_listed)


def _listed(body: bytes) -> list[str]:
    return [item.product_id for item in decode_page(body)]


def decode_item(body: bytes) -> Item | None:
    """Return a cached product; an empty body says that there is none."""
    return _item.decode(body) if body else None


def decode_page(body: bytes) -> list[Item]:
    """Return a cached page."""
    return _page.decode(body)


def availability(item: Item, units: int | None) -> Literal["in_stock", "low", "sold_out"]:
    """Return what to say of the units left: by the drain's last word, else as counted when the product was read."""
    left = item.units if units is None else units
    if left <= 0:
        return "sold_out"
    return "low" if left <= LOW_UNITS else "in_stock"
