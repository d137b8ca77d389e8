"""`POST /sales/{sale}/orders`, the full path: reads and checks an order of any form. Owns the order of the checks.

Everything that can be refused without a store is refused before one is asked. Plain orders do not come here, see
`fast_post.py`; accepting itself is `accept.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from doorbuster.contract.bodies.decoding import read
from doorbuster.contract.bodies.plain_text import PlainTextDecoder
from doorbuster.contract.orders import OrderRequest
from doorbuster.contract.problems import JSON
from intake.server.asgi import BODY
from intake.web.problems import RefusedError
from intake.web.query_parameters import refuse_unknown_params
from intake.web.requests import idempotency_key_of, require_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from falcon.asgi import Request, Response

    from intake.accepting.spend import AdmissionCredit
    from intake.orders.accept import OrderAcceptor
    from intake.orders.authorize import OrderAuthorizer
    from intake.orders.prefer_wait import PreferWait
    from intake.sales.cache import CachedSale, Sales
    from intake.sales.offers import OfferCache

_decoder = PlainTextDecoder(OrderRequest)


class PostOrder:
    """Resource of a sale's orders."""

    def __init__(
        self,
        sales: Sales,
        accepting: OrderAcceptor,
        admission: OrderAuthorizer,
        awaiting: PreferWait,
        offering: OfferCache,
    ) -> None:
        self._sales = sales
        self._offering = offering
        self._accepting = accepting
        self._admission = admission
        self._awaiting = awaiting
        self.on_full_path: Callable[[], None] = _uncounted
        """Called for every order that is posted to this resource."""

    async def on_post(self, req: Request, resp: Response, sale: str) -> None:
        """Accept an order durably."""
        self.on_full_path()
        self._sales.counts.offered_at(sale)
        require_json(req)
        refuse_unknown_params(req)
        order = read(req.scope[BODY], _decoder)
        key = idempotency_key_of(req, "attempt to buy")
        known = self._sales.fresh(sale) or await self._sales.get(sale)
        if known is None:
            raise RefusedError("sale_not_found", f"There is no sale {sale[:64]!r}")
        credit = await self._admit(req, known, order)
        quote = await self._offering.quote(known, order)
        accepted = await self._accepting.commit(known, order, key, credit, quote)
        if accepted.is_replay:
            resp.set_header("Idempotency-Replayed", "true")
            resp.set_header("Idempotent-Replayed", "true")
        if req.get_header("Prefer") is not None and await self._awaiting.answer(req, resp, UUID(accepted.order_id)):
            return
        resp.status = 202
        resp.content_type = JSON
        resp.set_header("Location", f"/orders/{accepted.order_id}")
        resp.data = accepted.body

    async def take(self, req: Request, known: CachedSale, order: OrderRequest, key: str) -> UUID:
        """Accept an order whose customer is the browser itself; return its id.

        Raises:
            RefusedError: it is not let in, or not taken.
        """
        credit = await self._admit(req, known, order, own=True)
        accepted = await self._accepting.commit(known, order, key, credit)
        return UUID(accepted.order_id)

    def order_id(self, known: CachedSale, customer_id: str, key: str) -> UUID:
        """Return the id of the order that a customer's idempotency key makes or has made."""
        return UUID(bytes=self._accepting.order_id(known, customer_id, key))

    async def _admit(
        self, req: Request, known: CachedSale, order: OrderRequest, *, own: bool = False
    ) -> AdmissionCredit | None:
        """Let the request pass; who is sent to the room hears first whether there is anything to wait for."""
        try:
            return await self._admission.check(req, known, order, own=own)
        except RefusedError as error:
            if error.code == "admission_required" and error.room is not None:
                self._accepting.refuse_likely(known, order)
            raise


def _uncounted() -> None:
    pass
