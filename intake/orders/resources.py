"""Orders as shoppers see them: read, and cancel. Owns that; accepting is `post.py`, watching `event_stream.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from db.orders.fulfilment.line_cancels import cancel
from db.orders.view import show
from doorbuster.contract.bodies.decoding import read
from doorbuster.contract.fulfilment import CancelRequest
from doorbuster.contract.orders import LineUnits
from doorbuster.contract.problems import JSON
from intake.orders.access import found_for
from intake.orders.lookup import order_id_of
from intake.server.asgi import BODY
from intake.web.query_parameters import refuse_unknown_params
from intake.web.requests import require_json

if TYPE_CHECKING:
    from falcon.asgi import Request, Response

    from db.connections.pool import Connection
    from db.orders.fulfilment.locked_order import Moved
    from intake.orders.access import OrderAccess
    from intake.orders.lookup import OrderReader
    from intake.orders.transition import OrderTransitions

BY_CUSTOMER = "cancelled_by_customer"
_cancel = msgspec.json.Decoder(CancelRequest)
_encode = msgspec.json.Encoder().encode


class OneOrder:
    """Resource of an order."""

    def __init__(self, reader: OrderReader, owners: OrderAccess | None = None) -> None:
        """Take who may see it; None: whoever comes here may see every order."""
        self._reader = reader
        self._owners = owners

    async def on_get(self, req: Request, resp: Response, order: str) -> None:
        """Show the order."""
        refuse_unknown_params(req)
        view = await found_for(req, order, self._reader, self._owners)
        resp.content_type = JSON
        resp.cache_control = ["no-store"]
        resp.data = _encode(view)


class CancelOrder:
    """Resource of a customer's cancellation."""

    def __init__(self, moving: OrderTransitions, reader: OrderReader, owners: OrderAccess) -> None:
        self._moving = moving
        self._reader = reader
        self._owners = owners

    async def on_post(self, req: Request, resp: Response, order: str) -> None:
        """Cancel what is named of the order, or all that has not left."""
        refuse_unknown_params(req)
        if self._owners.are_asked:
            await found_for(req, order, self._reader, self._owners)
        body: bytes = req.scope[BODY]
        if body:
            require_json(req)
        request = read(body or b"{}", _cancel)
        order_id = order_id_of(order)
        lines = None if request.lines is None else [LineUnits(part.line, part.quantity) for part in request.lines]

        async def cancelling(connection: Connection) -> Moved:
            return await cancel(connection, order_id, lines=lines, reason=BY_CUSTOMER, payment_s=self._moving.payment_s)

        moved = await self._moving.change(order_id, cancelling)
        resp.content_type = JSON
        resp.data = _encode(show(moved.order))
