"""A gateway that asks for the payments of shadows elsewhere: a rehearsal never costs money. Owns that choice alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from doorbuster.values.shadows import is_shadow_order

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from workers.payments.gateway import Gateway, ListedPayment, PaymentRequest, ProviderPayment


class ShadowsApart:
    """Sales' payments by one gateway, shadows' by another; see `gateway.Gateway`. Told apart by the order's id."""

    def __init__(self, gateway: Gateway, simulated: Gateway) -> None:
        self._gateway, self._simulated = gateway, simulated

    def _of(self, payment: PaymentRequest) -> Gateway:
        return self._simulated if is_shadow_order(payment.order_id) else self._gateway

    def answers_at_once(self, payment: PaymentRequest) -> bool:
        """Say that authorising this payment waits for nothing."""
        return self._of(payment).answers_at_once(payment)

    async def authorise(self, payment: PaymentRequest) -> ProviderPayment:
        """Hold the money, and take it when `payment.capture` says so."""
        return await self._of(payment).authorise(payment)

    async def capture(self, payment: PaymentRequest, amount: int, *, key: str, final: bool) -> ProviderPayment:
        """Take `amount` of what is held."""
        return await self._of(payment).capture(payment, amount, key=key, final=final)

    async def void(self, payment: PaymentRequest, *, key: str) -> ProviderPayment:
        """Let go what is held."""
        return await self._of(payment).void(payment, key=key)

    async def refund(self, payment: PaymentRequest, amount: int, *, key: str) -> ProviderPayment:
        """Give back `amount` of what was taken."""
        return await self._of(payment).refund(payment, amount, key=key)

    async def look_up(self, payment: PaymentRequest) -> ProviderPayment:
        """Ask what the provider has of the order."""
        return await self._of(payment).look_up(payment)

    def list(self, since: datetime) -> AsyncIterator[ListedPayment]:
        """Go through the payments of sales; those of shadows are nobody's concern."""
        return self._gateway.list(since)

    async def close(self) -> None:
        """Close both."""
        await self._gateway.close()
        await self._simulated.close()
