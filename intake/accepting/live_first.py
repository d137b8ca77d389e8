"""Sales come before shadows: what a rehearsal sells waits for the batches of sales that are on.

Owns when a shadow's batch may go, in one process, and how long acceptances of sales took there lately. Decides no
order, and does nothing to shadows while no sale takes orders: then a rehearsal measures what a sale would.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter, deque
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

LIVE_S = 2.0
"""A sale takes orders as long as one came within this."""
GATHER_S = 0.02
"""Between two batches of shadows while a sale takes orders: the store syncs for each, a sale's batch waits for that."""
RIDE_S = 0.02
"""How long a shadow's batch then waits for one of a sale, to be sent right behind it: both are synced at once."""
SHADOW_MAX = 32
"""Orders of such a batch at most: the store works off one call at a time."""
KEPT_S = 60
"""Seconds that are remembered, the current one among them."""
ENOUGH = 200
"""Orders below which nothing is said of the slowest in a hundred."""
_STEP = math.log(1.02)
_FLOOR_S = 1e-5


class Accepting(NamedTuple):
    """How acceptances of sales went."""

    orders: int
    p99_ms: float | None
    """From an order's joining a batch to the batch's verdict; None: too few orders."""


class LiveFirst:
    """Told of each batch of a sale; asked before each batch of a shadow."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Take a clock in seconds."""
        self._clock = clock
        self._live_at = -math.inf
        self._riders: deque[asyncio.Future[None]] = deque()
        self._turn = asyncio.Lock()
        self._shadow_at = -math.inf
        self._shadows_out = 0
        self._seconds: deque[tuple[int, Counter[int]]] = deque(maxlen=KEPT_S)
        self.batches = 0
        """Of sales, ever."""
        self.behind = 0
        """Of these: how many went while one of a shadow was out."""

    @property
    def is_live(self) -> bool:
        """Whether a sale takes orders here now."""
        return self._clock() - self._live_at < LIVE_S

    def live_goes(self) -> None:
        """Take note of a sale's batch that goes, and let a shadow's go behind it."""
        self._live_at = self._clock()
        self.batches += 1
        self.behind += self._shadows_out > 0
        while self._riders:
            if not (rider := self._riders.popleft()).done():
                rider.set_result(None)
                break

    def live_came(self, orders: int, seconds: float) -> None:
        """Take note that a sale's batch has its verdicts, so long after its first order came."""
        second = int(self._clock())
        if not self._seconds or self._seconds[-1][0] != second:
            self._seconds.append((second, Counter()))
        self._seconds[-1][1][int(math.log(max(seconds, _FLOOR_S) / _FLOOR_S) / _STEP)] += orders

    @asynccontextmanager
    async def shadow_turn(self, most: int) -> AsyncIterator[int]:
        """Hold a shadow's turn, from when its batch may go to its verdicts; give of how many orders it may be."""
        if not self.is_live:
            with self._shadow_out():
                yield most
            return
        async with self._turn:
            await asyncio.sleep(max(self._shadow_at + GATHER_S - self._clock(), 0.0))
            if self.is_live:
                await self._ride()
            with self._shadow_out():
                yield min(most, SHADOW_MAX)

    @contextmanager
    def _shadow_out(self) -> Iterator[None]:
        self._shadows_out += 1
        try:
            yield
        finally:
            self._shadows_out -= 1
            self._shadow_at = self._clock()

    async def _ride(self) -> None:
        rider: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._riders.append(rider)
        await asyncio.wait({rider}, timeout=RIDE_S)
        rider.cancel()

    def accepting(self, *, last_s: int) -> Accepting:
        """Return how acceptances went in the last full seconds."""
        now = int(self._clock())
        found: Counter[int] = Counter()
        for second, counts in self._seconds:
            if now - last_s <= second < now:
                found.update(counts)
        orders = found.total()
        if orders < ENOUGH:
            return Accepting(orders, None)
        return Accepting(orders, round(_percentile(found, 0.99) * 1000, 3))


def _percentile(found: Counter[int], share: float) -> float:
    """Return it, in seconds; within a step of the scale orders are taken as spread evenly."""
    left = found.total() * share
    for step in sorted(found):
        if left <= found[step]:
            return _FLOOR_S * math.exp((step + left / found[step]) * _STEP)
        left -= found[step]
    return 0.0
