"""Who may see, watch and cancel an order. Owns that decision; asks no store for it.

Without storefront keys whoever knows an order's id may: ids cannot be guessed. With keys configured an id is bound to
nobody, so a request must show whose order it is: a storefront's server by its key, a shopper by an admission that is
bound to the order's customer, a browser of the demonstration's storefront by its cookie.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doorbuster.orderstore.ids import route_of
from intake.orders.lookup import not_found, order_id_of
from intake.room.admission_verifier import given
from intake.room.cookies import browser_of
from intake.web.problems import RefusedError

if TYPE_CHECKING:
    from uuid import UUID

    from falcon.asgi import Request

    from doorbuster.contract.orders import OrderView
    from intake.orders.lookup import OrderReader
    from intake.room.admission_verifier import AdmissionVerifier
    from intake.web.storefront_keys import StorefrontKeys


class OrderAccess:
    """Checks whose an order is."""

    def __init__(self, keys: StorefrontKeys, door: AdmissionVerifier) -> None:
        self._keys = keys
        self._door = door

    @property
    def are_asked(self) -> bool:
        """Whether an id alone is not enough."""
        return bool(self._keys)

    def expect(self, req: Request, order_id: UUID) -> None:
        """Refuse who shows nothing at all, before any store is asked.

        Raises:
            RefusedError: `admission_required`.
        """
        if not self.are_asked or self._keys.is_storefront(req):
            return
        if browser_of(req) is None and given(req, route_of(order_id)[0]) is None:
            raise _refusal()

    def check(self, req: Request, order_id: UUID, customer_id: str | None) -> None:
        """Refuse who is not shown to be the order's customer; None: there is no such order, which is nobody's.

        Raises:
            RefusedError: `admission_required`.
        """
        if not self.are_asked or self._keys.is_storefront(req):
            return
        if customer_id:
            browser, number = browser_of(req), route_of(order_id)[0]
            if browser is not None and browser.customer_id == customer_id:
                return
            token = given(req, number)
            if token is not None and self._door.is_bound_to(token, number, customer_id):
                return
        raise _refusal()


async def found_for(req: Request, order: str, reader: OrderReader, owners: OrderAccess | None) -> OrderView:
    """Return an order that whoever asks may see.

    Raises:
        RefusedError: there is no such order, or it is not shown to be the asker's.
    """
    order_id = order_id_of(order)
    if owners is not None:
        owners.expect(req, order_id)
    view = await reader.find(order_id)
    if owners is not None:
        owners.check(req, order_id, None if view is None else view.customer_id)
    if view is None:
        raise not_found(order)
    return view


def _refusal() -> RefusedError:
    detail = "Send a valid X-Storefront-Key, or an admission that is bound to the order's customer"
    return RefusedError("admission_required", detail)
