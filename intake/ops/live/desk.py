"""One look a second at each sale that somebody watches, shared by all who do. Owns the sharing and its rhythm.

Nothing is looked at when nobody asks, but for what the past is made of: one intake, of however many there are, samples
each sale that is in its window.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from doorbuster.failures import ANTICIPATED
from intake.ops.live.figures import sample_of, view_of
from intake.ops.live.looks import ROOM_STORE
from intake.ops.live.samples import Sample, is_near

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from doorbuster.contract.night.live import LiveView
    from intake.monitoring.alerts.evaluator import FiringAlert
    from intake.ops.live.history import LiveHistory
    from intake.ops.live.looks import Looks
    from intake.sales.cache import CachedSale, Sales

EVERY_S = 1.0
MOST_SALES = 100
"""Sales remembered in one process."""
SAMPLED_MAX = 20
"""Sales in their window that one process samples though nobody watches."""
AROUND_S = 900.0
"""So long before its start and after its end a sale is sampled, too."""
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class WatchedSale:
    """A sale that somebody asked about, and what was seen last."""

    cached: CachedSale
    looking: asyncio.Lock = field(default_factory=asyncio.Lock)
    view: LiveView | None = None
    sample: Sample | None = None
    looked_at: float = 0.0
    listeners: int = 0
    next: asyncio.Future[bytes] | None = None
    """Comes true with the next look, for all who listen."""


class LiveDesk:
    """Shows how sales go."""

    def __init__(
        self, sales: Sales, looks: Looks, history: LiveHistory, firing: Callable[[], Sequence[FiringAlert]]
    ) -> None:
        """Take what says which alerts fire."""
        self._sales, self._looks, self.history, self._firing = sales, looks, history, firing
        self._watched: dict[int, WatchedSale] = {}
        self.looks = 0
        """How often the stores were asked."""

    async def show(self, cached: CachedSale) -> LiveView:
        """Return how a sale goes, as of a second ago at most; whoever asks meanwhile gets the same look."""
        one = self._of(cached)
        async with one.looking:
            if one.view is None or time.monotonic() - one.looked_at >= EVERY_S * 0.9:
                await self._look(one)
            assert one.view is not None
            return one.view

    @property
    def listeners(self) -> int:
        """Return how many listen in this process."""
        return sum(one.listeners for one in self._watched.values())

    def begin_listening(self, cached: CachedSale) -> WatchedSale:
        """Look at a sale every second from now on, until `end_listening`."""
        one = self._of(cached)
        one.listeners += 1
        return one

    @staticmethod
    def end_listening(one: WatchedSale) -> None:
        """Look no more on behalf of one who listened."""
        one.listeners -= 1

    @staticmethod
    async def next_of(one: WatchedSale, *, within_s: float) -> bytes | None:
        """Return the next look as it is told, the same bytes to all who listen; None: there was none in time."""
        if one.next is None or one.next.done():
            one.next = asyncio.get_running_loop().create_future()
        coming = one.next
        done, _ = await asyncio.wait({coming}, timeout=within_s)
        return coming.result() if done else None

    async def run(self) -> None:
        """Look once a second at what is watched, and sample what is in its window, until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S - time.time() % EVERY_S)
            watched = [one for one in self._watched.values() if one.listeners and not one.looking.locked()]
            seen = {one.cached.number for one in watched}
            sampled = [self._of(cached) for cached in self._in_window() if cached.number not in seen]
            await asyncio.gather(*map(self._tell, watched), *map(self._sample, sampled))

    def _in_window(self) -> list[CachedSale]:
        now = time.time()
        found = [
            cached
            for cached in self._sales.all()
            if cached.sale.phase != "closed"
            and cached.sale.starts_at.timestamp() - AROUND_S <= now
            and (cached.sale.ends_at is None or now <= cached.sale.ends_at.timestamp() + AROUND_S)
        ]
        return sorted(found, key=lambda cached: cached.used_at, reverse=True)[:SAMPLED_MAX]

    async def _tell(self, one: WatchedSale) -> None:
        """Look on behalf of those who listen; a sale that cannot be read anew is looked at as it was."""
        one.cached = await self._fresh(one.cached)
        view = await self.show(one.cached)
        if one.next is not None and not one.next.done():
            one.next.set_result(_encode(view))

    async def _sample(self, one: WatchedSale) -> None:
        """Look at a sale that nobody watches here, if it is this process's turn to write down how it goes."""
        if not one.looking.locked() and await self.history.takes_turn(one.cached.number):
            one.cached = await self._fresh(one.cached)
            await self.show(one.cached)

    async def _fresh(self, cached: CachedSale) -> CachedSale:
        try:
            return await self._sales.get(cached.sale.sale_id) or cached
        except ANTICIPATED:  # told by whoever reads the sale
            return cached

    async def _look(self, one: WatchedSale) -> None:
        one.looked_at = time.monotonic()
        number, now_ms = one.cached.number, int(time.time() * 1000)
        before = one.sample if is_near(one.sample, now_ms) else await self.history.last_near(number, now_ms)
        self.looks += 1
        seen = await self._looks.look(one.cached, before.below if before else None)
        one.sample = sample_of(seen, before)
        one.view = view_of(seen, one.sample, self._firing())
        if ROOM_STORE not in seen.troubles and await self.history.takes_turn(number):
            await self.history.add(number, one.sample)

    def _of(self, cached: CachedSale) -> WatchedSale:
        found = self._watched.get(cached.number)
        if found is None:
            if len(self._watched) >= MOST_SALES:
                self._forget_one()
            found = self._watched[cached.number] = WatchedSale(cached)
        found.cached = cached
        return found

    def _forget_one(self) -> None:
        idle = [number for number, one in self._watched.items() if not one.listeners and not one.looking.locked()]
        if idle:
            del self._watched[min(idle, key=lambda number: self._watched[number].looked_at)]
