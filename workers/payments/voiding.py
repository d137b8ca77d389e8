"""Lets money go for orders that were cancelled. Owns how many are asked at once; never decides which."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from workers.payments.gateway import GATEWAY_FAILED, PaymentRequest

if TYPE_CHECKING:
    from workers.payments.gateway import Gateway

log = logging.getLogger("doorbuster.workers.payments")


async def void_all(gateway: Gateway, order_ids: Sequence[UUID], *, timeout_s: float) -> None:
    """Let the money of these orders go, all at once.

    What the gateway does not take in time is logged, not repeated: an authorisation nobody captures ends by itself.
    """
    voided = await asyncio.gather(*(_void(gateway, order_id, timeout_s) for order_id in order_ids))
    if not all(voided):
        log.error("authorisations were not voided", extra={"orders": voided.count(False)})


async def _void(gateway: Gateway, order_id: UUID, timeout_s: float) -> bool:
    try:
        async with asyncio.timeout(timeout_s):
            await gateway.void(PaymentRequest(order_id, 0, "XXX", None), key=f"{order_id}:void")
    except GATEWAY_FAILED as error:
        log.warning("an authorisation was not voided", extra={"order_id": str(order_id), "error": repr(error)})
        return False
    return True
