"""Parcels as ops and fulfilment systems send them. Owns these resources; `db/orders/fulfilment/` does what they say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from db.orders.fulfilment import shipments as rows
from db.orders.view import show
from doorbuster.contract.fulfilment import ShipmentAnswer, ShipmentChange, ShipmentRequest
from doorbuster.contract.orders import LineUnits
from doorbuster.errors import InvalidError
from intake.ops.change_log import author_of, note
from intake.orders.lookup import order_id_of
from intake.web.problems import RefusedError
from intake.web.query_parameters import refuse_unknown_params
from intake.web.requests import body_of
from intake.web.responses import write

if TYPE_CHECKING:
    from falcon.asgi import Request, Response

    from db.connections.pool import Connection
    from db.orders.fulfilment.shipments import Shipped
    from intake.orders.transition import OrderTransitions

_ID = re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")
_request = msgspec.json.Decoder(ShipmentRequest)
_change = msgspec.json.Decoder(ShipmentChange)


class Shipments:
    """Resource of an order's parcels."""

    def __init__(self, moving: OrderTransitions) -> None:
        self._moving = moving

    async def on_post(self, req: Request, resp: Response, order: str) -> None:
        """Send a parcel."""
        refuse_unknown_params(req)
        order_id = order_id_of(order)
        request = await body_of(req, _request, empty=b"{}")
        author_of(req)  # refused before anything is done
        lines = None if request.lines is None else [LineUnits(part.line, part.quantity) for part in request.lines]
        label = rows.Label(request.carrier, request.tracking)

        async def sending(connection: Connection) -> Shipped:
            shipped = await rows.ship(connection, order_id, lines=lines, label=label, reason=request.reason)
            await note(connection, req, "ship", f"order:{order_id}")
            return shipped

        write(resp, _answer(await self._moving.change(order_id, sending)), 201)


class OneShipment:
    """Resource of a parcel."""

    def __init__(self, moving: OrderTransitions) -> None:
        self._moving = moving

    async def on_patch(self, req: Request, resp: Response, order: str, shipment: str) -> None:
        """Note what became of the parcel, or correct who brings it."""
        refuse_unknown_params(req)
        order_id = order_id_of(order)
        if not _ID.fullmatch(shipment):
            raise _not_found(shipment)
        request = await body_of(req, _change)
        if request.status is None and request.carrier is None and request.tracking is None:
            raise InvalidError.naming([("status", "is required, or carrier or tracking")])
        author_of(req)
        label = rows.Label(request.carrier, request.tracking)

        async def changing(connection: Connection) -> Shipped:
            changed = await rows.change_shipment(
                connection, order_id, UUID(shipment), status=request.status, label=label, reason=request.reason
            )
            await note(connection, req, "shipment", f"order:{order_id}")
            return changed

        try:
            changed = await self._moving.change(order_id, changing)
        except rows.ShipmentNotFoundError as error:
            raise _not_found(shipment) from error
        write(resp, _answer(changed))


def _not_found(shipment: str) -> RefusedError:
    return RefusedError("not_found", f"The order has no shipment {shipment[:64]!r}")


def _answer(shipped: Shipped) -> ShipmentAnswer:
    order = show(shipped.moved.order)
    one = next(one for one in order.shipments if one.shipment_id == str(shipped.shipment_id))
    return ShipmentAnswer(**msgspec.structs.asdict(one), order=order)
