"""How often to ask and how long it takes. Owns the poll policy and the estimate; pure, never reads a clock.

The page and the status document use the same figures, so that a visitor's browser computes what the server would.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Poll:
    """How often a waiting visitor asks: a share of the time still to wait, between bounds, jittered."""

    min_s: float = 1.0
    max_s: float = 30.0
    share: float = 0.1
    """Of the estimated time still to wait."""
    jitter: float = 0.2
    """The interval is multiplied by 1 - jitter to 1 + jitter, evenly drawn, so that visitors do not ask in step."""


@lru_cache(maxsize=256)
def poll_for(grace_s: float) -> Poll:
    """Return the policy of a room: nobody asks so rarely that a released place could lapse between two questions."""
    return Poll(max_s=max(1.0, min(30.0, grace_s / 3)))


def eta_s(position: int, pace_per_s: float) -> float | None:
    """Return the seconds until the frontier reaches a position; None when it does not move."""
    if position <= 0:
        return 0.0
    return position / pace_per_s if pace_per_s > 0 else None


class Paces(NamedTuple):
    """How fast the frontier may go on: at least and at most, places a second."""

    least_per_s: float
    most_per_s: float


FEW = 10.0
"""So few places released tell nothing yet that the rate does not."""
DOUBT_LEAST = 0.1


def paces(pace_per_s: float, rate_per_s: float, samples: float) -> Paces:
    """Return between which bounds the frontier goes on.

    `pace_per_s` is measured, `rate_per_s` what is set now, `samples` how many places the measuring remembers. While
    those are few, what is set bounds the range as well; the more there are, the narrower it is.
    """
    doubt = 1 + max(DOUBT_LEAST, 1 / math.sqrt(1 + samples))
    if samples < FEW:
        return Paces(min(pace_per_s, rate_per_s) / doubt, max(pace_per_s, rate_per_s))
    return Paces(pace_per_s / doubt, pace_per_s * doubt)


def eta_range_s(position: int, between: Paces) -> tuple[float, float] | None:
    """Return the least and the most seconds until the frontier reaches a position; None when it does not move."""
    if position <= 0:
        return 0.0, 0.0
    if between.least_per_s <= 0:
        return None
    return position / between.most_per_s, position / between.least_per_s


def retry_after_s(position: int, pace_per_s: float, poll: Poll, draw: float) -> float:
    """Return when to ask again; `draw` is even in [0, 1)."""
    wait = eta_s(position, pace_per_s)
    base = poll.max_s if wait is None else min(max(wait * poll.share, poll.min_s), poll.max_s)
    return base * (1 - poll.jitter + 2 * poll.jitter * draw)
