"""The sweep shift: cancels orders whose hold has ended and gives their units back, in batches.

Owns nothing but the batches: guarded statements decide, so a settle shift that confirms the same order at the same time
either came first, or finds it cancelled and voids the payment. Ends as soon as no hold has run out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from db import reservations, transitions
from workers.outcomes import publish
from workers.payments import void_all
from workers.settle import EXPIRED
from workers.units import Units

if TYPE_CHECKING:
    from workers.payments import Gateway
    from workers.shift import Shift

BATCH = 1_000


class Sweep:
    """Sweeps all sales; see `shift.Work`."""

    paced = 0
    under_way = False

    def __init__(self, shift: Shift, gateway: Gateway) -> None:
        self._shift = shift
        self._gateway = gateway
        self._units = Units(shift.settings)

    async def begin(self) -> None:
        """Nothing is kept between steps."""

    async def step(self) -> int | None:
        """Cancel one batch of orders whose hold has ended; None when there are no more."""
        connection = await self._shift.connection()
        expired = await reservations.expired(connection, limit=BATCH)
        if not expired:
            return None
        async with self._shift.holding() as held:
            cancelled = await transitions.cancel_many(held, expired, reason=EXPIRED)
        await publish(self._shift.orders, cancelled)
        # A payment may have been authorised without anybody hearing the answer.
        await void_all(self._gateway, cancelled, timeout_s=self._shift.settings.payment_timeout_s)
        await self._units.tell_of(connection, cancelled)
        return len(expired)

    async def end(self, *, at_once: bool) -> None:  # noqa: ARG002 - closing takes no time
        """Close what was opened; nothing is under way."""
        await self._units.close()
