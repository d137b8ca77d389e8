"""Moves an order by hand: the transition in Postgres, then the news of it. Owns that sequence, no rule of states."""

from __future__ import annotations

from typing import TYPE_CHECKING

from db.orders.states import Status
from db.orders.transitions import transition
from db.sales import get_sale
from doorbuster.errors import IllegalTransitionError, NotFoundError
from intake.orders.lookup import show
from intake.orders.resources import not_found

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from db.connections.pool import Connection
    from doorbuster.contract.orders import OrderView
    from intake.changes.restock import Restocking
    from intake.database import Database
    from intake.orders.lookup import OrderReader

    Note = Callable[[Connection], Awaitable[None]]


class Moving:
    """Moves orders for customers and ops alike."""

    def __init__(self, reader: OrderReader, database: Database, restocking: Restocking) -> None:
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
        async with self._database.working() as connection:
            try:
                async with connection.transaction():
                    await transition(connection, order_id, to, reason=reason, restock=restock)
                    if by is not None:
                        await by(connection)
            except NotFoundError:
                await self._refuse_unseen(order_id)
        order = await self._reader.drained(order_id)
        if order is None:
            raise not_found(order_id)
        freed = order.lines if to is Status.CANCELLED or restock else []
        products = {line.product_id for line in freed}
        async with self._database.working() as connection:
            sale = await get_sale(connection, order.sale_id)
        if sale is not None:
            await self._restocking.after(order_id, sale, products)
        return show(order)

    async def _refuse_unseen(self, order_id: UUID) -> None:
        view = await self._reader.find(order_id)
        if view is None:
            raise not_found(order_id)
        raise IllegalTransitionError("The order is accepted but not worked on yet; move it when it is pending")
