"""One order, locked: what is decided of it by hand is decided on this, and written in one go. Owns lock and writing.

Whoever uses it locks the order, decides in memory, then calls `write` once: events, lines, the ledger and what is given
back, in the order of locks (docs/locking.md). Which moves make sense is for its users; here they are only counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple
from uuid import UUID

import msgspec

from db import sales
from db.orders import identities, standby
from db.orders.orders import Order, read_order
from db.orders.states import ALLOWED, Status
from db.products import stock
from db.query_files import load
from db.sales import Sale
from db.work.copy_rows import STANDBY
from doorbuster.contract.orders import LineUnits
from doorbuster.errors import IllegalTransitionError, InvalidError, NotFoundError, SoldOutError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import asyncpg

    from db.connections.pool import Connection
    from db.sales import PaymentMode

EventKind = Literal["line_cancelled", "shipment", "refund"]

_SQL = load("locked_order")


class Moved(NamedTuple):
    """An order after a change by hand, as its transaction saw it: whoever tells others has to ask nothing more."""

    order: Order
    sale: Sale
    freed: dict[str, int]
    """What is in stock now of each product that got units back; empty: none did."""
    available: dict[str, int]
    """What the sale can still sell of each of its products, if units came back."""
    served: Sequence[UUID] = ()
    """Orders standing by that changed, for they were given what came back."""


class LockedLine(msgspec.Struct, kw_only=True):
    """A line and where its units are."""

    line: int
    product_id: str
    quantity: int
    unit_price: int
    cancelled: int
    shipped: int
    returned: int
    replaced: int
    restocked: int
    lost: int = 0
    """Units in parcels that were lost, those sent again too."""

    @property
    def open(self) -> int:
        """Units that have neither left nor been taken off."""
        return self.quantity - self.cancelled - self.shipped

    @property
    def missing(self) -> int:
        """Units lost on the way that were neither sent again nor refunded."""
        return max(self.lost - self.replaced - self.returned, 0)


class Parcel(msgspec.Struct):
    """A parcel of a locked order."""

    shipment_id: UUID
    status: str
    lines: list[LineUnits]


class _Event(NamedTuple):
    seq: int
    status: Status
    reason: str | None
    kind: EventKind | None
    lines: Sequence[LineUnits]


class _Units(NamedTuple):
    """By how many units the ledger of a product changes."""

    stock: int = 0
    reserved: int = 0
    sold: int = 0


class LockedOrder:
    """An order that nobody else moves before this transaction ends; see `lock`."""

    def __init__(self, row: asyncpg.Record, units: asyncpg.Record) -> None:
        self.order_id = UUID(int=row["order_id"].int)
        self.sale_number: int = row["sale_number"]
        self.customer_id: str = row["customer_id"]
        self.status = Status(row["status"])
        self.version: int = row["version"]
        self.reason: str | None = row["reason"]
        self.total: int = row["total"]
        self.payment: str | None = row["payment"]
        self.authorised: int | None = row["authorised"]
        self.captured: int = row["captured"] or 0
        self.mode: PaymentMode = units["mode"]
        self.is_held: bool = units["is_held"]
        self.was_asked: bool = units["was_asked"]
        """Whether the provider was asked for its payment, and nobody knows what became of it."""
        self.paid_elsewhere: bool = row["paid_elsewhere"]
        self.lines = {line[0]: _line(line) for line in units["lines"]}
        self.parcels = [_parcel(parcel) for parcel in units["parcels"]]
        for parcel in self.parcels:
            if parcel.status == "lost":
                self.count_lost(parcel)
        self.refundable = max(self.captured - (row["refunded"] or 0) - units["refunding"], 0)
        """Minor units that were taken and neither given back nor are on their way back."""
        self.is_capturing: bool = units["is_capturing"]
        """Whether money of it is still to be taken, for a parcel."""
        self._new_reason: str | None = None
        self._events: list[_Event] = []
        self._moves: defaultdict[str, list[_Units]] = defaultdict(list)
        self._returned: defaultdict[str, int] = defaultdict(int)
        self._unwanted: defaultdict[str, int] = defaultdict(int)
        self._counted: set[int] = set()
        self._replacing: dict[str, int] = {}
        self.served: list[UUID] = []
        """Orders standing by that changed, for they were given what came back."""

    @property
    def has_units(self) -> bool:
        """Whether units are reserved for it: a pending order that is not held stands by, or its hold has ended."""
        return self.status is not Status.PENDING or self.is_held

    @property
    def at_shipping(self) -> bool:
        """Whether its money is taken parcel by parcel: as it was asked for, or else as its sale says."""
        if self.paid_elsewhere:
            return False
        return self.authorised is not None or (self.payment in (None, "requires_action") and self.mode == "authorise")

    @property
    def takes_money(self) -> bool:
        """Whether its sale takes money, and it costs some."""
        return self.mode != "none" and self.total > 0

    @property
    def may_hold_money(self) -> bool:
        """Whether money may be held for it that was not taken, as far as is known here."""
        if self.mode == "none" or self.total == 0 or self.captured or self.payment in ("voided", "failed", "refunded"):
            return False
        return not (self.reason == STANDBY and self.payment is None)

    @property
    def is_open(self) -> bool:
        """Whether any of its units has neither left nor been taken off."""
        return any(line.open for line in self.lines.values())

    @property
    def any_shipped(self) -> bool:
        """Whether any of its units has left."""
        return any(line.shipped for line in self.lines.values())

    def step(self, to: Status, reason: str | None = None) -> int:
        """Go to another state, as the state machine allows; return the event's number."""
        if to not in ALLOWED[self.status]:
            raise self.refusal(f"become {to}")
        self.status, self._new_reason = to, reason or self._new_reason
        return self._tell(reason)

    @property
    def all_back(self) -> bool:
        """Whether money was taken for it, all of what is to be taken, and all of it is given back."""
        return self.captured > 0 and self.refundable == 0 and not self.is_capturing and not self.paid_elsewhere

    def leave(self, reason: str | None = None) -> int:
        """Become shipped, by way of every state before; return the number of the event."""
        if self.status is Status.CONFIRMED:
            self.step(Status.PROCESSING)
        return self.step(Status.SHIPPED, reason)

    def arrive(self, refund_reason: str | None = None) -> None:
        """Become delivered if nothing is on its way and nothing is missing, and refunded if all money is back.

        A parcel that was lost and refunded is not missing.
        """
        all_back = self.all_back
        statuses = {parcel.status for parcel in self.parcels}
        is_there = "delivered" in statuses or (all_back and self.parcels)
        is_whole = "shipped" not in statuses and not any(line.missing for line in self.lines.values())
        if self.status is Status.SHIPPED and is_there and is_whole:
            self.step(Status.DELIVERED)
        if self.status is Status.DELIVERED and all_back:
            self.step(Status.REFUNDED, refund_reason)

    def happened(self, kind: EventKind, reason: str | None = None, lines: Sequence[LineUnits] = ()) -> int:
        """Say what happened without a transition, and which units it took off; return the event's number."""
        return self._tell(reason, kind, lines)

    def _tell(self, reason: str | None, kind: EventKind | None = None, lines: Sequence[LineUnits] = ()) -> int:
        self.version += 1
        self._events.append(_Event(self.version, self.status, reason, kind, lines))
        return self.version

    def refusal(self, what: str) -> IllegalTransitionError:
        """Return the refusal of what an order in its state cannot do: `what` follows "cannot"."""
        allowed = ALLOWED[self.status] if self.has_units else {Status.CANCELLED}
        detail = f"an order that is {self.status} cannot {what}"
        return IllegalTransitionError(detail, status=str(self.status), allowed=sorted(allowed))

    def named(self, line: int, field: str) -> LockedLine:
        """Return a line that a caller names.

        Raises:
            InvalidError: the order has no such line.
        """
        found = self.lines.get(line)
        if found is None:
            raise InvalidError.naming([(field, f"the order has lines 1 to {len(self.lines)}")])
        return found

    def take_off(self, line: LockedLine, units: int) -> None:
        """Take open units off: they are free again, in the sale too."""
        line.cancelled += units
        self._counted.add(line.line)
        if self.has_units:
            self._moves[line.product_id].append(_Units(stock=units, reserved=-units))
            self._returned[line.product_id] += units
        else:
            self._unwanted[line.product_id] += units

    def send(self, line: LockedLine, units: int) -> None:
        """Send open units: reserved units are sold ones."""
        line.shipped += units
        self._counted.add(line.line)
        self._moves[line.product_id].append(_Units(reserved=-units, sold=units))

    def send_again(self, line: LockedLine, units: int) -> None:
        """Send units from stock in place of lost ones; `write` refuses it when there are none."""
        line.replaced += units
        self._counted.add(line.line)
        self._replacing[line.product_id] = line.line
        self._moves[line.product_id].append(_Units(stock=-units, sold=units))

    def give_back(self, line: LockedLine, units: int, *, restock: bool) -> None:
        """Count shipped units whose money goes back; with `restock` they are in stock again."""
        line.returned += units
        self._counted.add(line.line)
        if restock:
            line.restocked += units
            self._moves[line.product_id].append(_Units(stock=units, sold=-units))

    def count_lost(self, parcel: Parcel) -> None:
        """Count the units of a parcel that was lost."""
        for part in parcel.lines:
            self.lines[part.line].lost += part.quantity

    async def write(self, connection: Connection) -> None:
        """Write what was decided.

        Raises:
            SoldOutError: there are no units to send in place of lost ones.
        """
        if not self._events:
            return
        at = await connection.fetchval(
            _SQL["move_order"], self.order_id, self.status, self.version, self._new_reason
        )  # fmt: skip
        await connection.executemany(
            _SQL["tell"],
            [
                (self.order_id, event.seq, event.status, at, event.reason, event.kind, list(event.lines) or None)
                for event in self._events
            ],
        )
        lines = [self.lines[number] for number in sorted(self._counted)]
        await connection.executemany(
            _SQL["count_units"],
            [
                (self.order_id, one.line, one.cancelled, one.shipped, one.returned, one.replaced, one.restocked)
                for one in lines
            ],
        )
        if self.is_held and self.status is not Status.PENDING:
            await connection.execute(_SQL["end_hold"], self.order_id)
        if self.reason == STANDBY and self.status is not Status.PENDING:
            await standby.leave(connection, [self.order_id])
        elif self.reason == STANDBY and self._unwanted:
            await self._want_less(connection)
        await self._move_units(connection)

    async def _want_less(self, connection: Connection) -> None:
        """Note what an order that stands by wants less; what it wants now may be there."""
        products = sorted({line.product_id for line in self.lines.values()})
        locked = await standby.lock_beside(connection, products, own=[(self.sale_number, one) for one in products])
        await standby.want_less(connection, self.order_id, self._unwanted)
        self.served += await standby.serve(connection, locked)

    async def _move_units(self, connection: Connection) -> None:
        products = sorted(self._moves)
        if not products:
            return
        freed = [one for one in products if sum(units.stock for units in self._moves[one]) > 0]
        own = [(self.sale_number, product) for product in self._returned]
        locked = await standby.lock_beside(connection, products, own=own) if freed or own else None
        held = {row["product_id"]: row["stock"] for row in await connection.fetch(_SQL["lock_products"], products)}
        sums = [_Units(*map(sum, zip(*self._moves[product], strict=True))) for product in products]
        for product, units in zip(products, sums, strict=True):
            if product in self._replacing and held[product] + units.stock < 0:
                raise SoldOutError(
                    f"{product} has no units in place of those that were lost",
                    line=self._replacing[product], product_id=product, left=held[product],
                )  # fmt: skip
        await connection.execute(_SQL["move_units"], products, *map(list, zip(*sums, strict=True)))
        if returned := sorted(self._returned):
            free = [self._returned[product] for product in returned]
            await connection.execute(_SQL["return_allotments"], self.sale_number, returned, free)
            await connection.execute(_SQL["return_purchases"], self.sale_number, self.customer_id, returned, free)
            await identities.return_units(connection, self.order_id, self._returned)
        if locked is not None:
            self.served += await standby.serve(connection, locked)

    async def mark_paid_elsewhere(self, connection: Connection) -> None:
        """Remember that the provider is to have no money of it."""
        self.paid_elsewhere = True
        await connection.execute(_SQL["mark_paid_elsewhere"], self.order_id)

    async def mark_hold(self, connection: Connection) -> None:
        """Remember at the hold that lines were cancelled while the payment was asked for."""
        await connection.execute(_SQL["mark_hold"], self.order_id)

    async def moved(self, connection: Connection) -> Moved:
        """Return the order as it stands after `write`, with what is free now if it gave units back."""
        order = await read_order(connection, self.order_id)
        assert order is not None
        sale = await sales.get_sale(connection, order.sale_id)
        assert sale is not None
        products = {product for product, moves in self._moves.items() if any(units.stock > 0 for units in moves)}
        if not products:
            return Moved(order, sale, {}, {})
        freed = await stock.left(connection, products)
        available = await stock.available(connection, sale.number, sale.products)
        return Moved(order, sale, freed, available, self.served)


async def lock(connection: Connection, order_id: UUID) -> LockedOrder:
    """Lock an order in the caller's transaction.

    Raises:
        NotFoundError: there is no such order.
    """
    row = await connection.fetchrow(_SQL["lock_order"], order_id)
    if row is None:
        raise NotFoundError(f"there is no order {order_id}")
    units = await connection.fetchrow(_SQL["read_units"], order_id, row["sale_number"])
    assert units is not None
    return LockedOrder(row, units)


def each_once(lines: Iterable[LineUnits]) -> None:
    """Refuse a line that stands twice.

    Raises:
        InvalidError: one does.
    """
    seen: set[int] = set()
    for place, one in enumerate(lines):
        if one.line in seen:
            raise InvalidError.naming([(f"lines[{place}].line", "stands twice")])
        seen.add(one.line)


def _line(row: asyncpg.Record) -> LockedLine:
    line, product_id, quantity, unit_price, *counts = row
    cancelled, shipped, returned, replaced, restocked = (count or 0 for count in counts)
    return LockedLine(
        line=line, product_id=product_id, quantity=quantity, unit_price=unit_price, cancelled=cancelled,
        shipped=shipped, returned=returned, replaced=replaced, restocked=restocked,
    )  # fmt: skip


def _parcel(row: asyncpg.Record) -> Parcel:
    return Parcel(UUID(int=row[0].int), row[1], [LineUnits(*part) for part in row[2]])
