"""Decides, in memory, which orders of a batch get stock. Pure: no I/O, no clock; the caller holds the locks.

Orders are taken in the order of their acceptance (promise P4). An order gets all of its lines or none. What an order
takes is gone for those behind it in the same batch.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from catalogue.prices import Window, price_at
from db.work.copy_rows import STANDBY
from doorbuster.orderstore.entry import OrderEntry
from workers.drain.people import PeopleLimits

_NONE: Mapping[bytes, int] = {}


class Reason(StrEnum):
    """Why an order is created cancelled, or waits."""

    SOLD_OUT = "sold_out"
    LIMIT_EXCEEDED = "limit_exceeded"
    UNAVAILABLE = "product_unavailable"
    """Switched off, or not in the sale any more."""
    MIXED_CURRENCY = "mixed_currency"
    PRICE_CHANGED = "price_changed"
    """It costs something else than its sender expects."""
    TOTAL = "total_too_large"
    STANDBY = STANDBY
    """Sold out, and its sender would wait for units to come back."""


class Poison(StrEnum):
    """Why an entry cannot become an order and goes to the dead letters."""

    UNREADABLE = "unreadable"
    CONFLICT = "idempotency_conflict"
    REJECTED = "rejected_by_database"


class FormerPrice(NamedTuple):
    """What a product cost until ops changed it."""

    until_us: int
    """Microseconds since 1970."""
    sale_price: int | None
    own_price: int
    windows: tuple[Window, ...]


@dataclass(slots=True)
class SellableUnits:
    """What a locked product has to give to this sale; `units` shrinks as orders take from it."""

    units: int
    price: int
    currency: str
    active: bool
    limit_per_customer: int | None
    people: PeopleLimits | None = None
    """Limits on who is behind a customer; None: there are none."""
    people_number: int = 0
    """Of the last change of what people have of it."""
    windows: tuple[Window, ...] = ()
    """Prices that hold for a time, where the sale has no price of its own."""
    stock: int = 0
    """Of the product when it was locked, whatever of it the sale may sell."""
    former: tuple[FormerPrice, ...] = ()
    """What it cost before, the first to end first."""

    @property
    def is_unlimited(self) -> bool:
        """Whether anybody may have any number of it."""
        return self.limit_per_customer is None and self.people is None

    def price_at(self, accepted_ms: int) -> int:
        """Return the price of an order accepted then: that was in force then, whatever was changed since."""
        at = accepted_ms * 1000
        for price in self.former:
            if at < price.until_us:
                own = price_at(price.own_price, price.windows, at)[0]
                return own if price.sale_price is None else price.sale_price
        return price_at(self.price, self.windows, at)[0] if self.windows else self.price


class Cause(NamedTuple):
    """What an order is refused for: its line, from 1, the product, and the figures that say so."""

    line: int
    product_id: str
    left: int | None = None
    """Units that the sale still had for the order."""
    by: str | None = None
    """Which limit it was: the customer's, or that of an identity."""
    limit: int | None = None
    had: int | None = None
    """Units of the product that the customer has in other orders, or whoever has the identity."""


@dataclass(slots=True)
class Verdict:
    """The decisions of one batch, each list in order of acceptance."""

    decided: list[tuple[OrderEntry, Reason | None]] = field(default_factory=list)
    """Every order: reserved (None), or cancelled with its reason."""
    causes: dict[bytes, Cause] = field(default_factory=dict)
    """What orders are refused for, by order id, where figures say it."""
    taken: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Units by product."""
    bought: defaultdict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    """Units of limited products by (product, customer)."""
    bought_by: dict[str, dict[bytes, int]] = field(default_factory=dict)
    """The same by product and identity, of people who are known or come again in the batch."""
    newcomers: defaultdict[tuple[str, int], list[bytes]] = field(default_factory=lambda: defaultdict(list))
    """By product and units those who have so many now, and had none."""


@dataclass(slots=True, frozen=True)
class Purchases:
    """Units of limited products that were bought before the batch."""

    customers: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """By (product, customer)."""
    people: dict[str, dict[bytes, int]] = field(default_factory=dict)
    """By product and identity."""
    contested: frozenset[bytes] | None = None
    """Who is known, or comes more than once in the batch; None: it may be anybody."""

    def is_uncontested(self, names: Iterable[bytes]) -> bool:
        """Return whether none of these has anything, nor can come to have it by another order of the batch."""
        return self.contested is not None and self.contested.isdisjoint(names)


def decide(
    orders: Iterable[OrderEntry],
    sellable: Mapping[str, SellableUnits],
    purchases: Purchases,
    judged: Mapping[bytes, Reason] | None = None,
    standby_left: int = 0,
) -> Verdict:
    """Return what each order gets, changing `sellable` on the way; what is not among them is not in the sale.

    `judged` has the orders that are refused for what they cost, by their ids. `standby_left` is how many more may wait.
    """
    verdict, judged = Verdict(), judged or {}
    unlimited = {one for one, product in sellable.items() if product.active and product.is_unlimited}
    for order in orders:
        if order.order_id not in judged and _takes_plainly(order, sellable, unlimited, verdict):
            continue
        wanted = _units(order)
        refused = _refusal(order, wanted, sellable, purchases, verdict)
        if refused is not None:
            reason, product_id, figures = refused
            if reason is Reason.SOLD_OUT and order.standby and order.order_id not in judged and standby_left > 0:
                standby_left -= 1
                verdict.decided.append((order, Reason.STANDBY))
                continue
            verdict.decided.append((order, reason))
            verdict.causes[order.order_id] = Cause(_line_of(order, product_id), product_id, **figures)
            continue
        if order.order_id in judged:
            verdict.decided.append((order, judged[order.order_id]))
            continue
        verdict.decided.append((order, None))
        for product_id, units in wanted.items():
            product = sellable[product_id]
            product.units -= units
            verdict.taken[product_id] += units
            if product.limit_per_customer is not None:
                verdict.bought[product_id, order.customer_id] += units
            if product.people is not None and order.identities is not None:
                names = product.people.names(order.identities)
                if purchases.is_uncontested(names):
                    verdict.newcomers[product_id, units] += names
                else:
                    _count(names, units, verdict.bought_by.setdefault(product_id, {}))
    return verdict


def _takes_plainly(
    order: OrderEntry, sellable: Mapping[str, SellableUnits], unlimited: Collection[str], verdict: Verdict
) -> bool:
    """Take what an order of one line wants, if that is there and nobody counts it: most orders are so."""
    if len(order.lines) != 1:
        return False
    line = order.lines[0]
    product_id, units = line.product_id, line.quantity
    if product_id not in unlimited or units > sellable[product_id].units:
        return False
    verdict.decided.append((order, None))
    sellable[product_id].units -= units
    verdict.taken[product_id] += units
    return True


def _units(order: OrderEntry) -> dict[str, int]:
    """Sum the lines by product: two lines of one product want both."""
    if len(order.lines) == 1:
        return {order.lines[0].product_id: order.lines[0].quantity}
    wanted: dict[str, int] = {}
    for line in order.lines:
        wanted[line.product_id] = wanted.get(line.product_id, 0) + line.quantity
    return wanted


def _refusal(
    order: OrderEntry,
    wanted: Mapping[str, int],
    sellable: Mapping[str, SellableUnits],
    purchases: Purchases,
    verdict: Verdict,
) -> tuple[Reason, str, dict[str, Any]] | None:
    """Return why the order is refused, for which product, and by which figures; None: it is not."""
    if (unsellable := _unsellable(wanted, sellable)) is not None:
        return *unsellable, {}
    for product_id, units in wanted.items():
        product = sellable[product_id]
        if product.limit_per_customer is not None:
            pair = product_id, order.customer_id
            had = purchases.customers.get(pair, 0) + verdict.bought.get(pair, 0)
            if had + units > product.limit_per_customer:
                figures = {"by": "customer", "limit": product.limit_per_customer, "had": had}
                return Reason.LIMIT_EXCEEDED, product_id, figures
        if product.people is not None and order.identities is not None:
            over = _over(order.identities, product_id, units, product.people, purchases, verdict)
            if over is not None:
                return Reason.LIMIT_EXCEEDED, product_id, over
        if units > product.units:
            return Reason.SOLD_OUT, product_id, {"left": max(product.units, 0)}
    return None


def _unsellable(wanted: Mapping[str, int], sellable: Mapping[str, SellableUnits]) -> tuple[Reason, str] | None:
    """Return why the sale cannot sell what is wanted, however many units there are, and the product."""
    currency = None
    for product_id in wanted:
        product = sellable.get(product_id)
        if product is None or not product.active:
            return Reason.UNAVAILABLE, product_id
        if currency is not None and product.currency != currency:
            return Reason.MIXED_CURRENCY, product_id
        currency = product.currency
    return None


def _over(
    packed: bytes, product_id: str, units: int, limits: PeopleLimits, purchases: Purchases, verdict: Verdict
) -> dict[str, Any] | None:
    """Return the first limit of who is behind a customer that so many units more are over; None: all is allowed."""
    if units <= limits.least and purchases.is_uncontested(limits.names(packed)):
        return None
    before, meanwhile = purchases.people.get(product_id, _NONE), verdict.bought_by.get(product_id, _NONE)
    return limits.over(packed, units, lambda one: before.get(one, 0) + meanwhile.get(one, 0))


def _count(names: Iterable[bytes], units: int, bought: dict[bytes, int]) -> None:
    """Count units for each of these people."""
    for name in names:
        bought[name] = bought.get(name, 0) + units


def _line_of(order: OrderEntry, product_id: str) -> int:
    return next(number for number, line in enumerate(order.lines, 1) if line.product_id == product_id)
