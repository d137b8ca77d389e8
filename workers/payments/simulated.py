"""A simulated payment gateway, which answers by what the payment token says. Owns its tokens; holds no money."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import datetime

from workers.payments.gateway import (
    ListedPayment,
    NotListedError,
    OutcomeUnknownError,
    PaymentRefusedError,
    PaymentRequest,
    ProviderPayment,
    ProviderStatus,
)

SLOW_MS = 500

_WAITS = re.compile("timeout|slow|flaky")
_SLOW = re.compile(r"slow(?::(\d{1,6}))?")
_FLAKY = re.compile(r"flaky(?::(\d{1,2}))?")


class SimulatedGateway:
    """Answers by what the token says, always the same. Keeps nothing, so every shift can have its own.

    "decline" is declined; "timeout" never answers; "slow" takes 500 ms, "slow:1500" that many; "flaky" fails once,
    "flaky:3" three times, then approves; anything else, or no token, is approved at once.
    """

    def answers_at_once(self, payment: PaymentRequest) -> bool:
        """Say that the token names nothing that takes time."""
        return payment.token is None or "decline" in payment.token or _WAITS.search(payment.token) is None

    async def authorise(self, payment: PaymentRequest) -> ProviderPayment:
        """Answer as the token says."""
        token = payment.token or ""
        if "decline" in token:
            return ProviderPayment(ProviderStatus.DECLINED)
        if "timeout" in token:
            await asyncio.get_running_loop().create_future()
        elif slow := _SLOW.search(token):
            await asyncio.sleep(int(slow[1] or SLOW_MS) / 1000)
        elif (flaky := _FLAKY.search(token)) and payment.attempts < int(flaky[1] or 1):
            raise OutcomeUnknownError(f"failed attempt {payment.attempts + 1}")
        if payment.capture:
            return ProviderPayment(ProviderStatus.CAPTURED, payment.total, payment.total)
        return ProviderPayment(ProviderStatus.AUTHORISED, payment.total)

    async def capture(self, payment: PaymentRequest, amount: int, *, key: str, final: bool) -> ProviderPayment:  # noqa: ARG002
        """Refuse it: nothing is held."""
        raise PaymentRefusedError("nothing is held")

    async def void(self, payment: PaymentRequest, *, key: str) -> ProviderPayment:  # noqa: ARG002
        """Let the money go: nothing was held."""
        return ProviderPayment(ProviderStatus.VOIDED)

    async def refund(self, payment: PaymentRequest, amount: int, *, key: str) -> ProviderPayment:  # noqa: ARG002
        """Refuse it: nothing was taken."""
        raise PaymentRefusedError("nothing was taken")

    async def look_up(self, payment: PaymentRequest) -> ProviderPayment:  # noqa: ARG002
        """Say that there is nothing."""
        return ProviderPayment(ProviderStatus.NOTHING)

    async def list(self, since: datetime) -> AsyncIterator[ListedPayment]:  # noqa: ARG002
        """Refuse it: nothing is kept."""
        raise NotListedError("the simulated gateway keeps no list")
        yield  # which makes it an iterator

    async def close(self) -> None:
        """Close nothing: nothing is open."""
