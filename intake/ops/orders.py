"""Orders as ops see and move them. Owns these resources; every move goes through `orders/transition.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from db.orders import orders as rows
from db.orders.states import Status
from db.orders.transitions import HandTerms
from doorbuster.contract.ops import TransitionRequest
from doorbuster.contract.orders import OrderSummaryView
from doorbuster.errors import InvalidError
from doorbuster.values.timestamps import rfc3339_of
from intake.ops.change_log import note
from intake.ops.order_filters import moments_of, reason_of, status_of
from intake.orders.lookup import order_id_of
from intake.orders.transition import require_terms_of_payment
from intake.web.paging import limit_of, order_cursor, order_cursor_of, write_page
from intake.web.query_parameters import refuse_unknown_params
from intake.web.requests import body_of
from intake.web.responses import write

if TYPE_CHECKING:
    from falcon.asgi import Request, Response

    from db.connections.pool import Connection
    from intake.database import Database
    from intake.orders.transition import OrderTransitions

_transition = msgspec.json.Decoder(TransitionRequest)


class OrderList:
    """Resource of all orders."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def on_get(self, req: Request, resp: Response) -> None:
        """List orders, newest first."""
        refuse_unknown_params(req, "sale", "customer", "status", "reason", "from", "to", "cursor", "limit")
        limit = limit_of(req)
        since, until = moments_of(req)
        chosen = rows.OrderFilter(
            sale_id=req.get_param("sale"),
            customer_id=req.get_param("customer"),
            status=status_of(req),
            reason=reason_of(req),
            since=since,
            until=until,
            before=order_cursor_of(req),
        )
        async with self._database.working() as connection:
            orders = await rows.list_orders(connection, chosen, limit=limit)
        last = orders[-1] if len(orders) == limit else None
        cursor = order_cursor(last.accepted_at, last.order_id) if last else None
        write_page(resp, [_summary(order) for order in orders], cursor)


def _summary(order: rows.OrderSummary) -> OrderSummaryView:
    return OrderSummaryView(
        order_id=str(order.order_id),
        sale_id=order.sale_id,
        customer_id=order.customer_id,
        status=order.status.value,
        reason=order.reason,
        accepted_at=rfc3339_of(order.accepted_at),
        updated_at=order.updated_at,
        total=order.total,
        currency=order.currency,
    )


class TransitionOrder:
    """Resource of an order's transitions."""

    def __init__(self, moving: OrderTransitions) -> None:
        self._moving = moving

    async def on_post(self, req: Request, resp: Response, order: str) -> None:
        """Move the order on."""
        order_id = order_id_of(order)
        request = await body_of(req, _transition)
        if request.restock and request.to != "refunded":
            raise InvalidError("restock belongs to refunds", [("restock", "only with to 'refunded'")])
        require_terms_of_payment(paid_elsewhere=request.paid_elsewhere, to=request.to, reason=request.reason)

        async def by(connection: Connection) -> None:
            await note(connection, req, "transition", f"order:{order_id}")

        terms = HandTerms(restock=request.restock, paid_elsewhere=request.paid_elsewhere)
        view = await self._moving.move(order_id, Status(request.to), request.reason, terms=terms, by=by)
        write(resp, view)
