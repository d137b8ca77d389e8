"""What was counted of a sale at one moment, and how fast it went between two. Pure: owns those sums, asks nobody."""

from __future__ import annotations

from msgspec import Struct

GAP_S = 10.0
"""Two samples farther apart than this say nothing of how fast it goes now."""
LEAST_S = 0.2
"""Nearer than this they say too little."""


class Sample(Struct, frozen=True, kw_only=True, array_like=True):
    """What was counted so far, by the store that counts it; None: it could not be asked."""

    at_ms: int
    """Unix milliseconds, by the clock of whoever looked."""
    accepted: int | None = None
    admitted: int | None = None
    room_ms: int | None = None
    """When `admitted` was so, by the room's store."""
    below: str | None = None
    """The transaction below which Postgres' was over: orders confirmed are counted from here on."""
    waiting: int | None = None
    backlog: int | None = None
    backlog_s: float | None = None
    rate_per_s: float | None = None
    admitted_per_s: float | None = None
    accepted_per_s: float | None = None
    confirmed_per_s: float | None = None


def is_near(before: Sample | None, at_ms: int) -> bool:
    """Say whether a sample is so near that a rate can be told from it."""
    return before is not None and LEAST_S * 1000 <= at_ms - before.at_ms <= GAP_S * 1000


def per_s(before: int | None, now: int | None, elapsed_ms: int | None) -> float | None:
    """Return how fast a counter grew; None: one is not known, too little time went by, or the counter began anew."""
    if before is None or now is None or elapsed_ms is None or elapsed_ms < LEAST_S * 1000 or now < before:
        return None
    return round((now - before) * 1000 / elapsed_ms, 2)


def between(before: int | None, now: int | None) -> int | None:
    """Return what lies between two moments, None where one is not known."""
    return None if before is None or now is None else now - before
