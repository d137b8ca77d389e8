"""How many orders a sale promises to take, and how fast. Owns that estimate and says what it is from; pure.

With a room that is always on, the room lets in no more than its rate: that is the promise. Without one nothing bounds
the rate, and what can be sold bounds the orders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from doorbuster.errors import InvalidError
from waitingroom.outflow import Limits
from waitingroom.room import Mode
from waitingroom.sale_config import mode_of, room_config

if TYPE_CHECKING:
    from db.sales import Sale

UNITS_MAX = 10_000_000
"""More units than this are no expectation, but stock that is never to run out."""


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What a sale is expected to take."""

    orders: int | None
    """At most; None: nothing says."""
    per_s: float | None
    """Orders a second at most; None: nothing bounds them."""
    backlog: int | None
    """Orders that wait for the drain at a time, at most; None: as many as the order store may take."""
    source: str
    """`room` or `units`."""

    def figures(self) -> dict[str, Any]:
        """Return it as a check shows it."""
        return {"expected_orders": self.orders, "expected_per_s": self.per_s, "expected_from": self.source}


def expected(sale: Sale, units: int) -> Expected:
    """Return what is expected of a sale that can sell so many units."""
    orders = units if units <= UNITS_MAX else None
    rate = _rate(sale)
    if rate is None:
        return Expected(orders=orders, per_s=None, backlog=orders, source="units")
    if sale.ends_at is not None:
        seconds = (sale.ends_at - sale.starts_at).total_seconds()
        by_rate = round(rate * seconds)
        orders = by_rate if orders is None else min(orders, by_rate)
    limits = Limits.of(sale.room.get("thresholds"))
    # The room slows down past this backlog; who was let in before that may still order.
    held = limits.backlog + round(rate * limits.lag_ms / 1000)
    return Expected(orders=orders, per_s=rate, backlog=held if orders is None else min(held, orders), source="room")


def _rate(sale: Sale) -> float | None:
    """Return the highest rate that the room is set to, now or by the sale's timeline."""
    if mode_of(sale) is not Mode.ALWAYS:
        return None
    rates = [entry.room.get("rate_per_s") for entry in sale.timeline]
    try:
        now = room_config(sale).rate_per_s
    except (InvalidError, ValueError):  # told by the check of the room
        return None
    return max([now, *(float(rate) for rate in rates if rate is not None)])
