"""Orders as shoppers see them: read, and cancel. Owns that; accepting is `post.py`, watching `event_stream.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from db.orders.states import Status
from doorbuster.contract.problems import JSON
from intake.orders.access import found_for
from intake.orders.lookup import order_id_of
from intake.web.query_parameters import refuse_unknown_params

if TYPE_CHECKING:
    from falcon.asgi import Request, Response

    from intake.orders.access import OrderAccess
    from intake.orders.lookup import OrderReader
    from intake.orders.transition import OrderTransitions

BY_CUSTOMER = "cancelled_by_customer"
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
        """Cancel the order, if it has not been shipped."""
        refuse_unknown_params(req)
        if self._owners.are_asked:
            await found_for(req, order, self._reader, self._owners)
        view = await self._moving.move(order_id_of(order), Status.CANCELLED, BY_CUSTOMER)
        resp.content_type = JSON
        resp.data = _encode(view)
