"""Payments that their gateway answers at once: an order whose money is there when it is drained is confirmed by that.

It then needs no hold, no look at what is due and no second write, which are most of what its payment costs. Owns which
orders are so; a gateway says so only of what it keeps nothing of (`Gateway.answers_at_once`), for whether the order
comes to be is not certain yet. All others are the settle shift's.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from asyncpg.pgproto.pgproto import UUID

from db.work.copy_rows import UNPAID, MoneyAtOnce
from workers.payments.gateway import GatewayError, PaymentRequest, ProviderPayment, ProviderStatus, answered_at_once
from workers.payments.reconcile import Hold, MoneyStep, decide_held

if TYPE_CHECKING:
    from workers.payments.gateway import Gateway


class AtOnce:
    """Says of the orders of a batch which are paid with it."""

    def __init__(self, gateway: Gateway | None, mode: str, *, card_limited: bool) -> None:
        """Take how the sale takes money; `card_limited`: its cards are counted, so each must be named first."""
        self._gateway = None if card_limited else gateway
        self._is_free = mode == "none"
        self._hold = Hold(at_shipping=mode == "authorise")
        self._is_captured = not self._hold.at_shipping

    def __call__(self, order_id: bytes, total: int, currency: str, token: str | None) -> MoneyAtOnce | None:
        """Return what is taken or held of the order's money, None if that is to be asked for."""
        if self._is_free or not total:
            return UNPAID
        if self._gateway is None:
            return None
        payment = PaymentRequest(UUID(order_id), total, currency, token, 0, self._is_captured)
        if not self._gateway.answers_at_once(payment):
            return None
        try:
            answer = answered_at_once(self._gateway.authorise(payment))
        except GatewayError:
            return None  # the settle shift asks again, and knows what each kind of failure means
        return None if answer.reference is not None else _money(self._hold, *answer[:4])


@lru_cache(maxsize=1024)
def _money(hold: Hold, *amounts: Any) -> MoneyAtOnce | None:
    """Return what is there by an answer that says this, in a `ProviderPayment`'s order; None: it is not paid yet."""
    answer = ProviderPayment(*amounts)
    if decide_held(hold, answer).step is not MoneyStep.CONFIRM:
        return None
    held = answer.authorised if answer.status is ProviderStatus.AUTHORISED else None
    return MoneyAtOnce(str(answer.status), held, answer.captured or None)
