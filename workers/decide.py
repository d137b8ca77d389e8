"""Decides, in memory, which orders of a batch get stock. Pure: no I/O, no clock; the caller holds the locks.

Orders are taken in the order of their acceptance (promise P4). An order gets all of its lines or none. What an order
takes is gone for those behind it in the same batch.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from catalogue.prices import Window, price_at
from doorbuster.entry import OrderEntry


class Reason(StrEnum):
    """Why an order is created cancelled."""

    SOLD_OUT = "sold_out"
    LIMIT_EXCEEDED = "limit_exceeded"
    UNAVAILABLE = "product_unavailable"
    """Switched off, or not in the sale any more."""
    MIXED_CURRENCY = "mixed_currency"


class Poison(StrEnum):
    """Why an entry cannot become an order and goes to the dead letters."""

    UNREADABLE = "unreadable"
    CONFLICT = "idempotency_conflict"
    REJECTED = "rejected_by_database"


@dataclass(slots=True)
class Shelf:
    """What a locked product has to give to this sale; `units` shrinks as orders take from it."""

    units: int
    price: int
    currency: str
    active: bool
    limit_per_customer: int | None
    windows: tuple[Window, ...] = ()
    """Prices that hold for a time, where the sale has no price of its own."""
    stock: int = 0
    """Of the product when it was locked, whatever of it the sale may sell."""

    def price_at(self, accepted_ms: int) -> int:
        """Return the price of an order accepted then."""
        return price_at(self.price, self.windows, accepted_ms * 1000)[0] if self.windows else self.price


@dataclass(slots=True)
class Verdict:
    """The decisions of one batch, each list in order of acceptance."""

    decided: list[tuple[OrderEntry, Reason | None]] = field(default_factory=list)
    """Every order: reserved (None), or cancelled with its reason."""
    taken: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Units by product."""
    bought: defaultdict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    """Units of limited products by (product, customer)."""


def decide(
    orders: Iterable[OrderEntry], shelves: Mapping[str, Shelf], purchases: Mapping[tuple[str, str], int]
) -> Verdict:
    """Return what each order gets, changing `shelves` on the way; what has no shelf is not in the sale.

    `purchases` holds the units that (product, customer) had before this batch.
    """
    verdict = Verdict()
    for order in orders:
        wanted = _units(order)
        reason = _refusal(order.customer_id, wanted, shelves, purchases, verdict.bought)
        verdict.decided.append((order, reason))
        if reason is not None:
            continue
        for product_id, units in wanted.items():
            shelf = shelves[product_id]
            shelf.units -= units
            verdict.taken[product_id] += units
            if shelf.limit_per_customer is not None:
                verdict.bought[product_id, order.customer_id] += units
    return verdict


def _units(order: OrderEntry) -> dict[str, int]:
    """Sum the lines by product: two lines of one product want both."""
    if len(order.lines) == 1:
        return {order.lines[0].product_id: order.lines[0].quantity}
    wanted: dict[str, int] = {}
    for line in order.lines:
        wanted[line.product_id] = wanted.get(line.product_id, 0) + line.quantity
    return wanted


def _refusal(
    customer_id: str,
    wanted: Mapping[str, int],
    shelves: Mapping[str, Shelf],
    purchases: Mapping[tuple[str, str], int],
    bought: Mapping[tuple[str, str], int],
) -> Reason | None:
    currency = None
    for product_id in wanted:
        shelf = shelves.get(product_id)
        if shelf is None or not shelf.active:
            return Reason.UNAVAILABLE
        if currency is not None and shelf.currency != currency:
            return Reason.MIXED_CURRENCY
        currency = shelf.currency
    for product_id, units in wanted.items():
        shelf = shelves[product_id]
        if shelf.limit_per_customer is not None:
            pair = product_id, customer_id
            if purchases.get(pair, 0) + bought.get(pair, 0) + units > shelf.limit_per_customer:
                return Reason.LIMIT_EXCEEDED
        if units > shelf.units:
            return Reason.SOLD_OUT
    return None
