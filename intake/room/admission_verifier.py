"""Whether an order may come in where a room stands before the sale. Owns the local check; spends nothing.

It asks no store; only a safety net whose state this process has never read is asked for once. An admission that is good
but for its end is let through without any life: the accept script knows the order, or refuses it (docs/adr/0015).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from intake.accepting.spend import AdmissionCredit
from intake.room.cookies import admission_of
from intake.web.problems import RefusedError
from intake.web.requests import token_of
from intake.web.urls import page_of
from waitingroom.admissions import Admission, AdmissionRefusal
from waitingroom.room import Mode
from waitingroom.sale_config import mode_of

if TYPE_CHECKING:
    from falcon.asgi import Request

    from doorbuster.contract.orders import OrderRequest
    from intake.room.cache import CachedRoom, RoomCache
    from intake.sales.cache import CachedSale
    from waitingroom.admissions import AdmissionSigner

_SAYS = {
    AdmissionRefusal.FORGED: ("admission_invalid", "The admission is none of this house's"),
    AdmissionRefusal.FOREIGN: ("admission_invalid", "The admission is another sale's"),
    AdmissionRefusal.EXPIRED: ("admission_expired", "The admission has run out; join the room again"),
    AdmissionRefusal.REVOKED: ("admission_invalid", "The admission was revoked; join the room again"),
    AdmissionRefusal.OTHER_CUSTOMER: ("admission_invalid", "The admission is bound to another customer"),
}


class AdmissionVerifier:
    """Checks admissions of orders."""

    def __init__(self, desk: RoomCache, admissions: AdmissionSigner) -> None:
        self._desk = desk
        self._admissions = admissions
        self.known = desk.known
        """Returns a sale's room, None if it has none; costs no I/O."""

    async def needed(self, known: CachedSale) -> CachedRoom | None:
        """Return the sale's room if an order needs an admission now.

        Raises:
            RefusedError: a safety net cannot be asked, and the sale is to stay closed then.
        """
        room = self._desk.known(known)
        if room is None:
            return None
        if room.state is None and mode_of(known.sale) is Mode.SAFETY_NET:
            await self._desk.ready(known)
            if room.state is None and known.sale.room.get("on_store_failure") != "open":
                raise RefusedError("store_unavailable", "The room cannot say whether the sale needs an admission")
        return room if room.needs_admission else None

    def check(self, req: Request, room: CachedRoom, order: OrderRequest) -> AdmissionCredit:
        """Return what the order spends: of an admission that has run out, which a retry may come with, no life is left.

        Raises:
            RefusedError: there is no admission, or it is not good for this sale, moment and customer.
        """
        token = given(req, room.cached.number)
        if token is None:
            page = page_of(room.cached.sale.sale_id)
            raise RefusedError("admission_required", "Wait in the sale's room for an admission", members={"room": page})
        return self.admit(token, room, order)

    def admit(self, token: str, room: CachedRoom, order: OrderRequest) -> AdmissionCredit:
        """Return what the order spends that comes with this token, as `check` does.

        Raises:
            RefusedError: it is no admission, or not good for this sale, moment and customer.
        """
        found = self._look(token, room, order.customer_id)
        if isinstance(found, AdmissionCredit) and not found.life_ms and not _was_sold_here(room, order):
            found = AdmissionRefusal.EXPIRED
        if isinstance(found, AdmissionRefusal):
            raise RefusedError(*_SAYS[found], members={"room": page_of(room.cached.sale.sale_id)})
        return found

    def offered(self, req: Request, known: CachedSale, order: OrderRequest) -> AdmissionCredit | None:
        """Return what the order spends if it carries an admission, as `check` takes it, that nobody asks for now."""
        room = self._desk.known(known)
        token = given(req, known.number) if room else None
        if room is None or token is None or isinstance(self._look(token, room, order.customer_id), AdmissionRefusal):
            return None
        return self.check(req, room, order)

    def held(self, req: Request, room: CachedRoom, customer_id: str) -> AdmissionCredit | AdmissionRefusal | None:
        """Return the admission that the request carries and how long it is still good, or why it is not, if any."""
        token = given(req, room.cached.number)
        return None if token is None else self._look(token, room, customer_id)

    def is_bound_to(self, token: str, sale_number: int, customer_id: str) -> bool:
        """Say whether a token was signed for this customer in this sale; that it has run out takes nothing from it."""
        found = self._admissions.check(token, sale_number=sale_number, epoch=0, now_s=0, customer_id=customer_id)
        return isinstance(found, Admission) and found.customer is not None

    def _look(self, token: str, room: CachedRoom, customer_id: str | None) -> AdmissionCredit | AdmissionRefusal:
        found = self._checked(token, room, customer_id, room.now_s)
        if found is AdmissionRefusal.EXPIRED:
            found = self._checked(token, room, customer_id, 0)  # is it good but for its end?
        if isinstance(found, AdmissionRefusal):
            return found
        life_ms = max(0, int((found.expires_s - room.now_s) * 1000))
        return AdmissionCredit(found, life_ms)

    def _checked(
        self, token: str, room: CachedRoom, customer_id: str | None, now_s: float
    ) -> Admission | AdmissionRefusal:
        return self._admissions.check(
            token, sale_number=room.cached.number, epoch=room.epoch, now_s=now_s, customer_id=customer_id
        )


def _was_sold_here(room: CachedRoom, order: OrderRequest) -> bool:
    """Say whether the order can have been accepted: no store is asked for what cannot."""
    products = room.cached.sale.products
    return all(line.product_id in products for line in order.lines)


def given(req: Request, sale_number: int) -> str | None:
    """Return the admission that a request carries: in its header, else in its cookie."""
    token = token_of(req.get_header("Authorization") or "")
    return admission_of(req, sale_number) if token is None else token
