"""Orders as shoppers see them: read, and cancel. Owns that; accepting is `posting.py`, watching `events.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from db.states import Status
from doorbuster.contract import JSON
from intake.order_views import parse_order_id
from intake.parameters import refuse_unknown_params
from intake.problems import RefusedError

if TYPE_CHECKING:
    from uuid import UUID

    from falcon.asgi import Request, Response

    from intake.moving import Moving
    from intake.order_views import OrderReader

BY_CUSTOMER = "cancelled_by_customer"
_encode = msgspec.json.Encoder().encode


def order_id_of(text: str) -> UUID:
    """Return the order id of a path.

    Raises:
        RefusedError: `order_not_found`, also when the text is no order id.
    """
    order_id = parse_order_id(text)
    if order_id is None:
        raise not_found(text)
    return order_id


def not_found(order: object) -> RefusedError:
    """Return the refusal of an order that is not there."""
    return RefusedError("order_not_found", f"There is no order {str(order)[:64]!r}")


class OneOrder:
    """Resource of an order."""

    def __init__(self, reader: OrderReader) -> None:
        self._reader = reader

    async def on_get(self, req: Request, resp: Response, order: str) -> None:
        """Show the order."""
        refuse_unknown_params(req)
        view = await self._reader.find(order_id_of(order))
        if view is None:
            raise not_found(order)
        resp.content_type = JSON
        resp.cache_control = ["no-store"]
        resp.data = _encode(view)


class CancelOrder:
    """Resource of a customer's cancellation."""

    def __init__(self, moving: Moving) -> None:
        self._moving = moving

    async def on_post(self, req: Request, resp: Response, order: str) -> None:
        """Cancel the order, if it has not been shipped."""
        refuse_unknown_params(req)
        view = await self._moving.move(order_id_of(order), Status.CANCELLED, BY_CUSTOMER)
        resp.content_type = JSON
        resp.data = _encode(view)
