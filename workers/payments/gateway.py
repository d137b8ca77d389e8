"""The payment gateway as the settle shift sees it, and a simulated one. Owns the interface; never touches an order.

The order's id is the gateway's idempotency key: authorising again gives the same answer and holds the money once, so a
shift that died between authorising and committing is repeated without harm.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Sequence
from enum import Enum, auto
from typing import NamedTuple, Protocol
from uuid import UUID


class Answer(Enum):
    """What a gateway says to an authorisation."""

    APPROVED = auto()
    DECLINED = auto()


class Payment(NamedTuple):
    """What is to be authorised; `amount` in minor units, `attempts` made before this one."""

    order_id: UUID
    amount: int
    currency: str
    token: str | None
    attempts: int


class GatewayError(Exception):
    """The gateway failed; whether the money is held is unknown, asking again is safe."""


class Gateway(Protocol):
    """A payment provider. Both calls are idempotent by order id."""

    def authorise(self, payment: Payment) -> Answer | Awaitable[Answer]:
        """Hold the money; an answer known at once is returned as it is, without the cost of a task.

        Raises (here or when awaited):
            GatewayError: it failed; ask again.
        """

    def void(self, order_id: UUID) -> Awaitable[None] | None:
        """Let the money go, whether or not it was held."""


SLOW_MS = 500

log = logging.getLogger("doorbuster.workers.payments")

_SLOW = re.compile(r"slow(?::(\d{1,6}))?")
_FLAKY = re.compile(r"flaky(?::(\d{1,2}))?")


class SimulatedGateway:
    """Answers by what the token says, always the same. Keeps nothing, so every shift can have its own.

    "decline" is declined; "timeout" never answers; "slow" takes 500 ms, "slow:1500" that many; "flaky" fails once,
    "flaky:3" three times, then approves; anything else, or no token, is approved at once.
    """

    def authorise(self, payment: Payment) -> Answer | Awaitable[Answer]:
        """Answer as the token says."""
        token = payment.token
        if token is None:
            return Answer.APPROVED
        if "decline" in token:
            return Answer.DECLINED
        if "timeout" in token:
            return asyncio.get_running_loop().create_future()
        if slow := _SLOW.search(token):
            return asyncio.sleep(int(slow[1] or SLOW_MS) / 1000, Answer.APPROVED)
        if (flaky := _FLAKY.search(token)) and payment.attempts < int(flaky[1] or 1):
            raise GatewayError(f"failed attempt {payment.attempts + 1}")
        return Answer.APPROVED

    def void(self, order_id: UUID) -> None:
        """Let the money go: nothing was held."""
        log.debug("void", extra={"order_id": str(order_id)})


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
    except (GatewayError, TimeoutError, OSError) as error:
        log.warning("an authorisation was not voided", extra={"order_id": str(order_id), "error": repr(error)})
        return False
    return True
