"""Changes an order by hand: the change in Postgres, then the news of it. Owns that sequence, no rule of states."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from db.orders.fulfilment.locked_order import Moved
from db.orders.fulfilment.shipments import ShipmentNotFoundError
from db.orders.transitions import HandTerms, transition
from db.orders.view import show
from doorbuster.errors import IllegalTransitionError, InvalidError, NotFoundError
from intake.orders.lookup import not_found

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from db.connections.pool import Connection
    from db.orders.fulfilment.refunds import Refunded
    from db.orders.fulfilment.shipments import Shipped
    from db.orders.states import Status
    from doorbuster.contract.orders import OrderView
    from intake.changes.restock import Restocker
    from intake.database import Database
    from intake.orders.lookup import OrderReader
    from intake.web.problems import RefusedError

    Note = Callable[[Connection], Awaitable[None]]

Changed = TypeVar("Changed", "Moved", "Shipped", "Refunded")


def require_terms_of_payment(*, paid_elsewhere: bool, to: str, reason: str | None) -> None:
    """Refuse what is said of a payment outside where nothing is confirmed, or nobody says why.

    Raises:
        InvalidError: it belongs to another transition, or has no reason.
    """
    if paid_elsewhere and to != "confirmed":
        raise InvalidError.naming([("paid_elsewhere", "only with to 'confirmed'")])
    if paid_elsewhere and not reason:
        raise InvalidError.naming([("reason", "with paid_elsewhere: how it is paid")])


class OrderTransitions:
    """Changes orders for customers and ops alike."""

    def __init__(
        self, reader: OrderReader, database: Database, restocking: Restocker, *, payment_timeout_s: float
    ) -> None:
        self._reader = reader
        self._database = database
        self._restocking = restocking
        self.payment_s = payment_timeout_s
        """How long a payment that is being asked for may still be under way."""

    async def move(
        self, order_id: UUID, to: Status, reason: str | None, *, terms: HandTerms | None = None, by: Note | None = None
    ) -> OrderView:
        """Move the order, and note in the same transaction who did, if that is to be noted; return it as it stands.

        Raises:
            RefusedError: there is no such order.
            IllegalTransitionError: it cannot go there now, or the drain has not seen it.
        """
        told = (terms or HandTerms())._replace(payment_s=self.payment_s)

        async def moving(connection: Connection) -> Moved:
            moved = await transition(connection, order_id, to, reason=reason, terms=told)
            if by is not None:
                await by(connection)
            return moved

        return show((await self.change(order_id, moving)).order)

    async def change(self, order_id: UUID, work: Callable[[Connection], Awaitable[Changed]]) -> Changed:
        """Do something to the order in one transaction, then tell of it.

        Raises:
            RefusedError: there is no such order.
            IllegalTransitionError: it cannot be done now, or the drain has not seen the order.
        """
        try:
            async with self._database.working("transitions") as connection, connection.transaction():
                changed = await work(connection)
        except ShipmentNotFoundError:
            raise
        except NotFoundError:
            raise await self._unseen(order_id) from None
        await self._restocking.after(changed if isinstance(changed, Moved) else changed.moved)
        return changed

    async def _unseen(self, order_id: UUID) -> RefusedError | IllegalTransitionError:
        """Return why an order that Postgres does not know cannot be changed."""
        if await self._reader.find(order_id) is None:
            return not_found(order_id)
        return IllegalTransitionError("The order is accepted but not worked on yet; move it when it is pending")
