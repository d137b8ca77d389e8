"""What people do to an order in the stateful test of its life, as values that can be drawn and shown. Owns how.

An act names lines that need not exist and units that need not be there: mostly they do, for lines are counted round.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple
from uuid import UUID

from hypothesis import strategies as st

from db.connections.pool import Connection
from db.orders.fulfilment import line_cancels, refunds, shipments
from db.orders.fulfilment.refunds import RefundKey
from db.orders.orders import LineUnits, RefundLine
from db.orders.states import ALLOWED, Status
from db.orders.transitions import HandTerms, transition
from tests.fixtures.life.books import Order

Units = Sequence[tuple[int, int]]
"""(line, quantity), lines counted round."""


class Cancel(NamedTuple):
    """Take units off, or all that is open."""

    lines: Units | None

    async def do(self, db: Connection, order: Order, key: str) -> None:
        lines = None if self.lines is None else [LineUnits(*part) for part in rounded(self.lines, order)]
        await line_cancels.cancel(db, order.order_id, lines=lines)


class Move(NamedTuple):
    """Move it to another state: mostly to one that may follow.

    Nobody confirms by hand what is to be paid: whoever does that says that the money came in another way, and then
    there are goods without money as far as anybody here can know.
    """

    towards: int
    restock: bool

    async def do(self, db: Connection, order: Order, key: str) -> None:
        onward = sorted(ALLOWED[Status(order.status)])
        states = onward if onward and self.towards % 4 else list(Status)
        to = states[self.towards // 4 % len(states)]
        if to is Status.CONFIRMED and order.row["total"] and order.status == "pending":
            to = Status.CANCELLED
        await transition(db, order.order_id, to, terms=HandTerms(restock=self.restock))


class Ship(NamedTuple):
    """Send a parcel."""

    lines: Units | None

    async def do(self, db: Connection, order: Order, key: str) -> None:
        lines = None if self.lines is None else [LineUnits(*part) for part in rounded(self.lines, order)]
        await shipments.ship(db, order.order_id, lines=lines)


class Arrive(NamedTuple):
    """Say what became of a parcel."""

    parcel: int
    status: Literal["delivered", "lost"]

    async def do(self, db: Connection, order: Order, key: str) -> None:
        parcels = sorted(order.parcels, key=lambda one: (one["seq"], one["at"]))
        shipment_id = parcels[self.parcel % len(parcels)]["shipment_id"] if parcels else UUID(int=0)
        await shipments.change_shipment(db, order.order_id, shipment_id, status=self.status)


class Refund(NamedTuple):
    """Give money back: for units, or an amount."""

    lines: Units
    restock: bool
    amount: int | None

    async def do(self, db: Connection, order: Order, key: str) -> None:
        lines = [RefundLine(*part, restock=self.restock) for part in rounded(self.lines, order)]
        asked = RefundKey(key, b"x")
        await refunds.refund(db, order.order_id, lines=lines or None, amount=self.amount, reason="broken", key=asked)


Act = Cancel | Move | Ship | Arrive | Refund

_UNITS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from([1, 1, 1, 2, 3])), min_size=1, max_size=2)
FULFILMENT: st.SearchStrategy[Act] = st.one_of(
    st.builds(Move, st.integers(0, 40), st.booleans()),
    st.builds(Ship, _UNITS),
    st.builds(Ship, st.none()),
    st.builds(Arrive, st.integers(0, 5), st.sampled_from(["delivered", "lost"])),
)
GIVING_BACK: st.SearchStrategy[Act] = st.one_of(
    st.builds(Cancel, _UNITS),
    st.builds(Cancel, st.none()),
    st.builds(Refund, _UNITS, st.booleans(), st.none()),
    st.builds(Refund, st.just([]) | _UNITS, st.booleans(), st.sampled_from([1, 50, 100, 200])),
)


def rounded(units: Units, order: Order) -> list[tuple[int, int]]:
    """Return the units by lines that there are, each once."""
    return list({1 + line % len(order.lines): quantity for line, quantity in units}.items())
