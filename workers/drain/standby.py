"""The standby shift: ends the waiting of orders whose sale is over, and serves what slipped through. Owns the batches.

Whoever gives units back serves those who wait in the same transaction (`db/orders/standby.py`), so mostly there is
nothing to serve here. Ends as soon as there is nothing more to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from db.orders import standby
from workers.publish.availability import Units
from workers.publish.order_changes import publish

if TYPE_CHECKING:
    from workers.runtime.shift import Shift

BATCH = 1_000
PRODUCTS = 100
"""Whose lists are served at a time."""


class StandbyService:
    """Works off the lists of all sales; see `shift.Work`."""

    full = BATCH
    paced = False
    is_busy = False

    def __init__(self, shift: Shift) -> None:
        self._shift = shift
        self._units = Units(shift.settings)

    async def begin(self) -> None:
        """Nothing is kept between steps."""

    async def step(self) -> int | None:
        """Cancel one batch of orders whose sale is over, or serve some products' lists; None: nothing to do."""
        async with self._shift.leased_transaction() as held:
            changed = await standby.end_waiting(held, limit=self._shift.size.now)
            if not changed and (products := await standby.servable(held, limit=PRODUCTS)):
                changed = await standby.serve(held, await standby.lock_beside(held, products))
        await publish(self._shift.orders, changed)
        await self._units.tell_of(await self._shift.connection(), changed)
        return len(changed) or None

    async def end(self, *, immediately: bool) -> None:  # noqa: ARG002 - closing takes no time
        """Close what was opened; nothing is under way."""
        await self._units.close()
