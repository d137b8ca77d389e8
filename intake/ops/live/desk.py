"""One look a second at each sale that somebody watches, shared by all who do. Owns the sharing and its rhythm.

Nothing is looked at when nobody asks.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from intake.ops.live.figures import sample_of, view_of
from intake.ops.live.samples import Sample, is_near

if TYPE_CHECKING:
    from doorbuster.contract.night.live import LiveView
    from intake.ops.live.looks import Looks
    from intake.sales.cache import CachedSale

EVERY_S = 1.0
MOST_SALES = 100
"""Sales remembered in one process."""


@dataclass(slots=True)
class Watched:
    """A sale that somebody asked about, and what was seen last."""

    looking: asyncio.Lock = field(default_factory=asyncio.Lock)
    view: LiveView | None = None
    sample: Sample | None = None
    looked_at: float = 0.0


class LiveDesk:
    """Shows how sales go."""

    def __init__(self, looks: Looks) -> None:
        self._looks = looks
        self._watched: dict[int, Watched] = {}
        self.looks = 0
        """How often the stores were asked."""

    async def show(self, cached: CachedSale) -> LiveView:
        """Return how a sale goes, as of a second ago at most; whoever asks meanwhile gets the same look."""
        one = self._of(cached.number)
        async with one.looking:
            if one.view is None or time.monotonic() - one.looked_at >= EVERY_S * 0.9:
                await self._look(one, cached)
            assert one.view is not None
            return one.view

    async def _look(self, one: Watched, cached: CachedSale) -> None:
        before = one.sample if is_near(one.sample, int(time.time() * 1000)) else None
        one.looked_at = time.monotonic()
        self.looks += 1
        seen = await self._looks.look(cached, before.below if before else None)
        one.sample = sample_of(seen, before)
        one.view = view_of(seen, one.sample, None)

    def _of(self, number: int) -> Watched:
        found = self._watched.get(number)
        if found is None:
            if len(self._watched) >= MOST_SALES:
                del self._watched[min(self._watched, key=lambda one: self._watched[one].looked_at)]
            found = self._watched[number] = Watched()
        return found
