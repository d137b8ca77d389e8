"""Moves an order by hand: the transition in Postgres, then the news of it. Owns that sequence, no rule of states."""

from __future__ import annotations

from typing import TYPE_CHECKING

from db.orders.states import Status
from db.orders.transitions import transition
from db.orders.view import show
from doorbuster.errors import IllegalTransitionError, NotFoundError
from intake.orders.lookup import not_found

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from db.connections.pool import Connection
    from doorbuster.contract.orders import OrderView
    from intake.changes.restock import Restocker
    from intake.database import Database
    from intake.orders.lookup import OrderReader
    from intake.web.problems import RefusedError

    Note = Callable[[Connection], Awaitable[None]]


class OrderTransitions:
    """Moves orders for customers and ops alike."""

    def __init__(self, reader: OrderReader, database: Database, restocking: Restocker) -> None:
        self._reader = reader
        self._database = database
        self._restocking = restocking

    async def move(
        self, order_id: UUID, to: Status, reason: str | None, *, restock: bool = False, by: Note | None = None
    ) -> OrderView:
        """Move the order, and note in the same transaction who did, if that is to be noted; return it as it stands.

        Raises:
            RefusedError: there is no such order.
            IllegalTransitionError: it cannot go there now, or the drain has not seen it.
        """
        try:
            async with self._database.working() as connection, connection.transaction():
                moved = await transition(connection, order_id, to, reason=reason, restock=restock)
                if by is not None:
                    await by(connection)
        except NotFoundError:
            raise await self._unseen(order_id) from None
        await self._restocking.after(moved)
        return show(moved.order)

    async def _unseen(self, order_id: UUID) -> RefusedError | IllegalTransitionError:
        """Return why an order that Postgres does not know cannot be moved."""
        if await self._reader.find(order_id) is None:
            return not_found(order_id)
        return IllegalTransitionError("The order is accepted but not worked on yet; move it when it is pending")
