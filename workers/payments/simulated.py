"""A simulated payment gateway, which answers by what the payment token says. Owns its tokens; holds no money."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable
from uuid import UUID

from workers.payments.gateway import GatewayError, PaymentAnswer, PaymentRequest

SLOW_MS = 500

log = logging.getLogger("doorbuster.workers.payments")

_SLOW = re.compile(r"slow(?::(\d{1,6}))?")
_FLAKY = re.compile(r"flaky(?::(\d{1,2}))?")


class SimulatedGateway:
    """Answers by what the token says, always the same. Keeps nothing, so every shift can have its own.

    "decline" is declined; "timeout" never answers; "slow" takes 500 ms, "slow:1500" that many; "flaky" fails once,
    "flaky:3" three times, then approves; anything else, or no token, is approved at once.
    """

    def authorise(self, payment: PaymentRequest) -> PaymentAnswer | Awaitable[PaymentAnswer]:
        """Answer as the token says."""
        token = payment.token
        if token is None:
            return PaymentAnswer.APPROVED
        if "decline" in token:
            return PaymentAnswer.DECLINED
        if "timeout" in token:
            return asyncio.get_running_loop().create_future()
        if slow := _SLOW.search(token):
            return asyncio.sleep(int(slow[1] or SLOW_MS) / 1000, PaymentAnswer.APPROVED)
        if (flaky := _FLAKY.search(token)) and payment.attempts < int(flaky[1] or 1):
            raise GatewayError(f"failed attempt {payment.attempts + 1}")
        return PaymentAnswer.APPROVED

    def void(self, order_id: UUID) -> None:
        """Let the money go: nothing was held."""
        log.debug("void", extra={"order_id": str(order_id)})

    async def close(self) -> None:
        """Close nothing: nothing is open."""
