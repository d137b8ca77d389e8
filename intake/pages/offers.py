"""What a sale offers, as people see it: names, pictures, prices, how many. Owns reading it; sells nothing.

A product that cannot be read is shown by its id: the catalogue's trouble must not stop a sale.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from doorbuster.failures import ANTICIPATED
from intake.pages.plain_text import plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from catalogue.service import Catalogue
    from db.sales import SaleProduct
    from intake.sales.cache import CachedSale

log = logging.getLogger("doorbuster.intake.room")

PAGE_SIZE = 200
"""Products on one page of the storefront."""
QUANTITY_MAX = 10
"""Most units that the page offers at once where the sale has no limit."""
TEXT_MAX = 200
NAMES_S = 10.0
NAMES_MAX = 20_000
_AT_ONCE = 8
_IMAGES = ("image", "image_url", "image_link", "images", "image_urls")
"""Attributes in which shops keep a product's picture."""
_HOST = re.compile(r"[A-Za-z0-9.-]+(?::\d{1,5})?")


class ShownOffer(msgspec.Struct):
    """As much of a product as the pages show."""

    product_id: str
    name: str
    price: int = 0
    currency: str = ""
    description: str | None = None
    attributes: dict[str, Any] | None = None


class Shelf(msgspec.Struct):
    """A product as the storefront offers it."""

    product_id: str
    name: str
    text: str
    image: str
    price: int
    currency: str
    most: int
    """Units that one order may have."""
    limit: int | None
    """Units that a customer may have in the sale, None: any number."""
    sold_out: bool


_offer = msgspec.json.Decoder(ShownOffer)


class ShopOffers:
    """Reads what sales offer."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._names: dict[str, tuple[str, float]] = {}

    async def of(self, known: CachedSale, page: int = 1) -> list[Shelf]:
        """Return a page of what the sale offers, in the order in which ops listed it, at the sale's prices."""
        listed = list(known.sale.products.values())[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
        gone = {product for lane in known.lanes for product in lane.sold_out}
        few = asyncio.Semaphore(_AT_ONCE)

        async def read(one: SaleProduct) -> Shelf:
            async with few:
                offer = await self.offer(one.product_id)
            return _shelf(one, offer, sold_out=one.product_id in gone)

        return list(await asyncio.gather(*map(read, listed)))

    async def offer(self, product_id: str) -> ShownOffer:
        """Return a product, by its id alone if the catalogue cannot be read."""
        try:
            shown = await self._catalogue.product(product_id)
        except ANTICIPATED as error:
            log.warning("a product cannot be read", extra={"product_id": product_id, "error": error})
            return ShownOffer(product_id, self._names.get(product_id, (product_id, 0.0))[0])
        if not shown.found:
            return ShownOffer(product_id, product_id)
        found = _offer.decode(shown.body)
        self._remember(product_id, found.name)
        return found

    async def names(self, product_ids: Iterable[str]) -> dict[str, str]:
        """Return what products are called; names may be some seconds old."""
        now, found = time.monotonic(), {}
        for product_id in product_ids:
            name, until = self._names.get(product_id, ("", 0.0))
            found[product_id] = name if until > now else (await self.offer(product_id)).name
        return found

    def _remember(self, product_id: str, name: str) -> None:
        if len(self._names) >= NAMES_MAX:
            self._names.clear()
        self._names[product_id] = name, time.monotonic() + NAMES_S


def _shelf(listed: SaleProduct, offer: ShownOffer, *, sold_out: bool) -> Shelf:
    limit = listed.limit_per_customer
    text = plain(offer.description or "")
    return Shelf(
        product_id=listed.product_id,
        name=offer.name,
        text=text if len(text) <= TEXT_MAX else text[: TEXT_MAX - 1].rsplit(" ", 1)[0] + " …",
        image=image_of(offer.attributes or {}),
        price=offer.price if listed.price is None else listed.price,
        currency=offer.currency,
        most=QUANTITY_MAX if limit is None else min(limit, QUANTITY_MAX),
        limit=limit,
        sold_out=sold_out,
    )


def image_of(attributes: dict[str, Any]) -> str:
    """Return the address of a product's picture, empty if it has none that a page may show."""
    for name in _IMAGES:
        value = attributes.get(name)
        first = value[0] if isinstance(value, list) and value else value
        if isinstance(first, dict):
            first = first.get("url") or first.get("src")
        if isinstance(first, str) and _is_address(first):
            return first
    return ""


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    if parts.scheme in ("http", "https"):
        return _HOST.fullmatch(parts.netloc) is not None
    return not parts.scheme and not parts.netloc and text.startswith("/")


def sources_of(shelves: Iterable[Shelf]) -> str:
    """Return the hosts of the pictures, as a content security policy names them, each behind a space."""
    parts = (urlsplit(one.image) for one in shelves if one.image)
    return "".join(sorted({f" {one.scheme}://{one.netloc}" for one in parts if one.netloc}))
