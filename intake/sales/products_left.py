"""What those who wait see of a sale's products: price, and whether there are many, few or none left. Owns their choice.

The status document is one for everyone and stays under 2 KiB, however many products a sale has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from catalogue.cache.items import LOW_UNITS
from doorbuster.contract.room import RoomProduct
from intake.sales.offers import price_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from db.products.offers import SaleOffer
    from doorbuster.contract.room import RoomStatus
    from intake.sales.cache import CachedSale

DOCUMENT_MAX = 2_047
"""Bytes of a whole status document."""

_encode = msgspec.json.Encoder().encode


def products_of(cached: CachedSale) -> list[RoomProduct]:
    """Return the products of the sale as they were read last, in the order in which ops named them; of no I/O."""
    if cached.offers is None:
        return []
    gone = set.intersection(*(lane.sold_out for lane in cached.lanes))
    offers = cached.offers.by_id
    return [_seen(offers[one], is_gone=one in gone) for one in cached.sale.products if one in offers]


def fill(view: RoomStatus, products: Iterable[RoomProduct]) -> bytes:
    """Put as many of the products into the document as it holds, and return its bytes."""
    room = DOCUMENT_MAX - len(_encode(view))
    for product in products:
        room -= len(_encode(product)) + 1
        if room < 0:
            break
        view.products.append(product)
    return _encode(view)


def _seen(offer: SaleOffer, *, is_gone: bool) -> RoomProduct:
    if is_gone or offer.units <= 0:
        return RoomProduct(offer.product_id, price_of(offer), offer.currency, "none")
    return RoomProduct(offer.product_id, price_of(offer), offer.currency, "few" if offer.units <= LOW_UNITS else "many")
