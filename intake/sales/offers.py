"""What sales offer, as this process knows it: names, prices and units, read from Postgres at most once a second a sale.

Owns the copy and its age. A change that is announced ends a copy at once. What an order costs is decided at its drain.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, NamedTuple

from catalogue.prices import price_at
from db.products.offers import offers_of
from doorbuster.contract.fields import TOTAL_MAX, is_total_sure
from doorbuster.contract.offers import UnitPrice
from doorbuster.failures import STORE_FAILED
from intake.sales.offered import Offers
from intake.web.problems import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from db.products.offers import SaleOffer
    from doorbuster.contract.orders import OrderRequest
    from intake.database import Database
    from intake.sales.cache import CachedSale

MAX_AGE_S = 1.0

log = logging.getLogger("doorbuster.intake.offering")


class Quote(NamedTuple):
    """What an order costs at the prices in force, where that is not what its sender expects."""

    total: int
    lines: list[UnitPrice]

    def refusal(self) -> RefusedError:
        """Return what the sender is told."""
        return RefusedError("price_changed", "The prices have changed; show them", members=self._asdict())


class OfferCache:
    """Reads what sales offer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, known: CachedSale) -> Offers:
        """Return what a sale offers; while Postgres is away, as it was last.

        Raises:
            Postgres' failures: it is away, and this process has never read it.
        """
        kept, began = known.offers, time.monotonic()
        if kept is not None and kept.version == known.sale.version and began - kept.read_at < MAX_AGE_S:
            return kept
        try:
            async with self._database.reading("sales") as connection:
                found = await offers_of(connection, known.number)
        except STORE_FAILED as error:
            if kept is None:
                raise
            about = {"sale_id": known.sale.sale_id, "error": error}
            log.warning("a sale's products could not be read", extra=about)
            return kept
        known.offers = made = Offers({offer.product_id: offer for offer in found}, known.sale.version, began)
        return made

    async def quote(self, known: CachedSale, order: OrderRequest) -> Quote | None:
        """Return what the order costs if its sender expects something else; None: it is as expected, or nobody does.

        Without Postgres nobody can say: the drain decides, by what the order says is expected.

        Raises:
            RefusedError: it comes to more than any total may be.
        """
        if not needs_quote(order):
            return None
        try:
            return quote_of((await self.of(known)).by_id, order)
        except STORE_FAILED:
            return None


def needs_quote(order: OrderRequest) -> bool:
    """Say whether somebody has to look at prices before the order is taken."""
    return order.expected_total is not None or not is_total_sure(order.lines)


def quote_of(offers: Mapping[str, SaleOffer], order: OrderRequest) -> Quote | None:
    """Return what the order costs at these offers if its sender expects something else.

    Raises:
        RefusedError: it comes to more than any total may be.
    """
    if any(line.product_id not in offers for line in order.lines):
        return None  # refused by name, or decided in its turn
    prices = [UnitPrice(line.product_id, price_of(offers[line.product_id])) for line in order.lines]
    total = sum(line.quantity * price.unit_price for line, price in zip(order.lines, prices, strict=True))
    if total > TOTAL_MAX:
        problem = f"come to more than {TOTAL_MAX} in minor units"
        raise RefusedError("invalid", f"lines: {problem}", [("lines", problem)])
    return None if order.expected_total in (None, total) else Quote(total, prices)


def price_of(offer: SaleOffer) -> int:
    """Return the price that holds in the sale now."""
    if offer.sale_price is not None:
        return offer.sale_price
    return price_at(offer.price, offer.windows, time.time_ns() // 1000)[0]
