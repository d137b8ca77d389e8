"""Says whether anything grew over a long run that should not. Owns the test and its bounds; measures nothing.

The slope is Theil and Sen's: the median of the slopes between all pairs of looks, which one odd look does not move.
What the first looks show is start-up: caches fill and allocators settle.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from statistics import median

import msgspec

WARMING_UP = 1 / 3
"""Of the looks: these are not judged."""
LOOKS_MIN = 4
"""Looks that a slope takes."""
MILLION = 1_000_000


class Bound(msgspec.Struct, frozen=True):
    """How much more of something a run may show at its end: for each million orders, and whatever their number."""

    per_million: float
    anyway: float
    unit: str


MEMORY = Bound(10.0, 8.0, "MB")
"""Of a role: nothing in it should grow with orders; 10 bytes an order are less than its id takes."""
LAG = Bound(0.1, 0.5, "s")
ORDER_STORE = Bound(600.0, 64.0, "MB")
"""It keeps each idempotency key for a day, the longest with its spent admission."""
DATABASE = Bound(1_600.0, 256.0, "MB")
"""It keeps orders, with lines, events and the indexes of both."""
DISK = Bound(3_000.0, 2_048.0, "MB")
"""Both, the order store's log until it is rewritten, and Postgres' write-ahead log up to its bound."""


class Growth(msgspec.Struct):
    """What one series did."""

    name: str
    first: float
    last: float
    slope_per_million: float
    """More of it for each million orders."""
    grew: float
    """By that slope, over the looks that are judged."""
    allowed: float
    unit: str

    @property
    def is_steady(self) -> bool:
        """Whether it grew by no more than it may."""
        return self.grew <= self.allowed


def judge(name: str, orders: Sequence[int], values: Sequence[float], bound: Bound) -> Growth:
    """Judge a series by how many orders there were at each look.

    Raises:
        ValueError: there are too few looks to tell.
    """
    skipped = int(len(values) * WARMING_UP)
    kept = list(zip(orders, values, strict=True))[skipped:]
    if len(kept) < LOOKS_MIN:
        raise ValueError(f"{len(values)} looks are too few to tell what grows: a longer run, or a shorter slice")
    slopes = [(later[1] - one[1]) / (later[0] - one[0]) for one, later in combinations(kept, 2) if later[0] > one[0]]
    slope = median(slopes) if slopes else 0.0
    span = kept[-1][0] - kept[0][0]
    return Growth(
        name=name,
        first=kept[0][1],
        last=kept[-1][1],
        slope_per_million=slope * MILLION,
        grew=slope * span,
        allowed=bound.anyway + bound.per_million * span / MILLION,
        unit=bound.unit,
    )


def said(growth: Growth) -> str:
    """Return a verdict as a line."""
    word = "steady" if growth.is_steady else "GREW"
    return (
        f"{growth.name:<22} {growth.first:>10,.2f} to {growth.last:>10,.2f} {growth.unit:<2}  "
        f"{growth.slope_per_million:>+9,.2f} a million orders, allowed {growth.allowed:,.1f} in all: {word}"
    )
