"""The sweep shift: cancels orders whose hold has ended where nobody settles, and gives their units back, in batches.

Owns nothing but the batches. A settle shift asks for the payment once more when a hold ends, and cancels if there is no
answer; so the sweep comes after it, where none lives, and never touches an order whose payment was not asked for.
Guarded statements decide: a settle shift that confirms the same order at the same time either came first, or finds it
cancelled and voids the payment. Ends as soon as there is nothing more to cancel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from db.orders import reservations, transitions
from workers.payments.settle import EXPIRED
from workers.payments.voiding import void_all
from workers.publish.availability import Units
from workers.publish.order_changes import publish

if TYPE_CHECKING:
    from doorbuster.settings import Settings
    from workers.payments.gateway import Gateway
    from workers.runtime.shift import Shift

BATCH = 1_000


def grace_s(settings: Settings) -> float:
    """Return how long after a hold's end the settle shift has its turn: it is started, asks, and hears no answer."""
    return 2 * settings.lease_s + settings.payment_timeout_s


class Sweep:
    """Sweeps all sales; see `shift.Work`."""

    full = BATCH
    paced = False
    is_busy = False

    def __init__(self, shift: Shift, gateway: Gateway) -> None:
        self._shift = shift
        self._gateway = gateway
        self._units = Units(shift.settings)

    async def begin(self) -> None:
        """Nothing is kept between steps."""

    async def step(self) -> int | None:
        """Cancel one batch of orders whose hold has ended; None when there are no more."""
        connection = await self._shift.connection()
        late_s = grace_s(self._shift.settings)
        expired = await reservations.expired(connection, late_s=late_s, limit=self._shift.size.now)
        if not expired:
            return None
        async with self._shift.leased_transaction() as held:
            cancelled = await transitions.cancel_many(held, expired, reason=EXPIRED)
        await publish(self._shift.orders, cancelled)
        # A payment may have been authorised without anybody hearing the answer.
        await void_all(self._gateway, cancelled, timeout_s=self._shift.settings.payment_timeout_s)
        await self._units.tell_of(connection, cancelled)
        return len(expired)

    async def end(self, *, immediately: bool) -> None:  # noqa: ARG002 - closing takes no time
        """Close what was opened; nothing is under way."""
        await self._units.close()
        await self._gateway.close()
