"""Who may order: the place where a request is let in or refused. Owns that decision; asks no store for it.

While a room stands before the sale every order needs its admission. Without one, a storefront's server may hold a
storefront key and speak for its customers; with keys configured, a request with neither is refused, and so is one whose
admission is bound to no customer: it would order in anybody's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from intake.web.problems import RefusedError

if TYPE_CHECKING:
    from falcon.asgi import Request

    from doorbuster.contract.orders import OrderRequest
    from intake.accepting.spend import AdmissionCredit
    from intake.room.admission_verifier import AdmissionVerifier
    from intake.sales.cache import CachedSale
    from intake.web.storefront_keys import StorefrontKeys


class OrderAuthorizer:
    """Checks each order's right to be posted."""

    def __init__(self, keys: StorefrontKeys, door: AdmissionVerifier) -> None:
        self._keys = keys
        self._door = door
        self.is_needed_everywhere = bool(self._keys)
        """Whether orders of sales without a room are checked too."""

    async def check(
        self, req: Request, sale: CachedSale, order: OrderRequest, *, own: bool = False
    ) -> AdmissionCredit | None:
        """Let the request pass; return the admission that its order spends, if it needs one.

        `own`: the customer is not of the sender's choosing, but the browser itself.

        Raises:
            RefusedError: `admission_required`, `admission_expired`, `admission_invalid`.
        """
        room = await self._door.needed(sale) if sale.has_room else None
        needs_key = bool(self._keys) and not self._keys.is_storefront(req)
        passed = None
        if room is not None:
            passed = self._door.check(req, room, order)
        elif needs_key and (passed := self._door.offered(req, sale, order)) is None:
            raise RefusedError("admission_required", "Send a valid X-Storefront-Key or an admission to the sale")
        if needs_key and not own and self.is_anybodys(passed):
            raise RefusedError("admission_required", "The admission is bound to no customer: send X-Storefront-Key too")
        return passed

    def is_anybodys(self, passed: AdmissionCredit | None) -> bool:
        """Say whether, with keys configured, a pass alone lets nobody order: it is bound to no customer."""
        return bool(self._keys) and passed is not None and passed.admission.customer is None
