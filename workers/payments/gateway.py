"""The payment gateway as the settle shift sees it. Owns the interface; never touches an order.

The order's id is the gateway's idempotency key: authorising again gives the same answer and holds the money once, so a
shift that died between authorising and committing is repeated without harm.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from enum import Enum, auto
from typing import NamedTuple, Protocol
from uuid import UUID

from doorbuster.failures import Failures


class PaymentAnswer(Enum):
    """What a gateway says to an authorisation."""

    APPROVED = auto()
    DECLINED = auto()


class PaymentRequest(NamedTuple):
    """What is to be authorised; `amount` in minor units, `attempts` made before this one."""

    order_id: UUID
    amount: int
    currency: str
    token: str | None
    attempts: int


class GatewayError(Exception):
    """The gateway failed; whether the money is held is unknown, asking again is safe."""


class Gateway(Protocol):
    """A payment provider. Both calls are idempotent by order id. Each shift has its own, and closes it."""

    def authorise(self, payment: PaymentRequest) -> PaymentAnswer | Awaitable[PaymentAnswer]:
        """Hold the money; an answer known at once is returned as it is, without the cost of a task.

        Raises (here or when awaited):
            GatewayError: it failed; ask again.
        """

    def void(self, order_id: UUID) -> Awaitable[None] | None:
        """Let the money go, whether or not it was held."""

    async def close(self) -> None:
        """Close what is open; closing again does nothing."""


log = logging.getLogger("doorbuster.workers.payments")

GATEWAY_FAILED: Failures = (GatewayError, TimeoutError, OSError)
"""The gateway did not answer, or not in time."""


async def void_all(gateway: Gateway, order_ids: Sequence[UUID], *, timeout_s: float) -> None:
    """Let the money of these orders go, all at once.

    What the gateway does not take in time is logged, not repeated: an authorisation nobody captures ends by itself.
    """
    voided = await asyncio.gather(*(_void(gateway, order_id, timeout_s) for order_id in order_ids))
    if not all(voided):
        log.error("authorisations were not voided", extra={"orders": voided.count(False)})


async def _void(gateway: Gateway, order_id: UUID, timeout_s: float) -> bool:
    try:
        pending = gateway.void(order_id)
        if pending is not None:
            async with asyncio.timeout(timeout_s):
                await pending
    except GATEWAY_FAILED as error:
        log.warning("an authorisation was not voided", extra={"order_id": str(order_id), "error": repr(error)})
        return False
    return True
