"""The sweep shift: gives back the units of orders whose hold has ended where nobody settles, in batches.

Owns nothing but the batches. A settle shift asks for the payment once more when a hold ends, and lets the units go if
there is no answer; so the sweep comes after it, where none lives, and never touches an order whose payment was
not asked for. The orders wait, without their units, until the money shift has heard what became of their payment.
Guarded statements decide: a settle shift that confirms the same order at the same time either came first, or finds its
hold gone. Ends as soon as there is nothing more to release.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from db.orders import reservations, transitions
from workers.publish.availability import Units
from workers.publish.order_changes import publish

if TYPE_CHECKING:
    from uuid import UUID

    from doorbuster.settings import Settings
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

    def __init__(self, shift: Shift) -> None:
        self._shift = shift
        self._units = Units(shift.settings)

    async def begin(self) -> None:
        """Nothing is kept between steps."""

    async def step(self) -> int | None:
        """Let go the units of one batch of orders whose hold has ended; None when there are no more."""
        connection = await self._shift.connection()
        late_s = grace_s(self._shift.settings)
        expired = await reservations.expired(connection, late_s=late_s, limit=self._shift.size.now)
        if not expired:
            return None
        void_after_s = self._shift.settings.payment_timeout_s
        served: list[UUID] = []
        async with self._shift.leased_transaction() as held:
            released = await transitions.release_many(held, expired, void_after_s=void_after_s, served=served)
        await publish(self._shift.orders, served)
        await self._units.tell_of(connection, released)
        return len(expired)

    async def end(self, *, immediately: bool) -> None:  # noqa: ARG002 - closing takes no time
        """Close what was opened; nothing is under way."""
        await self._units.close()
