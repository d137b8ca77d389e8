"""Refunds as ops ask for them. Owns this resource; `db/orders/fulfilment/refunds.py` does what it says."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from db.orders.fulfilment import refunds as rows
from db.orders.view import show
from doorbuster.contract.fulfilment import RefundAnswer, RefundRequest
from doorbuster.contract.orders import RefundLine
from doorbuster.errors import InvalidError
from intake.ops.change_log import author_of, note
from intake.orders.lookup import order_id_of
from intake.web.query_parameters import refuse_unknown_params
from intake.web.requests import body_of, idempotency_key_of
from intake.web.responses import write

if TYPE_CHECKING:
    from falcon.asgi import Request, Response

    from db.connections.pool import Connection
    from db.orders.fulfilment.refunds import Refunded
    from intake.orders.transition import OrderTransitions

_request = msgspec.json.Decoder(RefundRequest)
_encode = msgspec.json.Encoder().encode


class Refunds:
    """Resource of an order's refunds."""

    def __init__(self, moving: OrderTransitions) -> None:
        self._moving = moving

    async def on_post(self, req: Request, resp: Response, order: str) -> None:
        """Give money back; with the same key again: the refund that was made then."""
        refuse_unknown_params(req)
        order_id = order_id_of(order)
        request = await body_of(req, _request)
        if request.lines is None and request.amount is None:
            raise InvalidError.naming([("lines", "is required, or amount")])
        author_of(req)  # refused before anything is done
        key = rows.RefundKey(idempotency_key_of(req, "refund"), hashlib.sha256(_encode(request)).digest())
        named = request.lines
        lines = None if named is None else [RefundLine(part.line, part.quantity, part.restock) for part in named]

        async def refunding(connection: Connection) -> Refunded:
            refunded = await rows.refund(
                connection, order_id, lines=lines, amount=request.amount, reason=request.reason, key=key
            )
            if not refunded.is_replay:
                await note(connection, req, "refund", f"order:{order_id}")
            return refunded

        refunded = await self._moving.change(order_id, refunding)
        if refunded.is_replay:
            resp.set_header("Idempotency-Replayed", "true")
            resp.set_header("Idempotent-Replayed", "true")
        view = show(refunded.moved.order)
        one = next(one for one in view.refunds if one.refund_id == str(refunded.refund_id))
        write(resp, RefundAnswer(**msgspec.structs.asdict(one), order=view), 201)
