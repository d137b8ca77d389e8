"""When a failed attempt is made again. Pure: a law for a delivery, and one for an endpoint that fails all the time."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_S = 21_600.0
"""Between two attempts of one delivery; and the most that a receiver's Retry-After is heeded."""
ENDPOINT_LONGEST_S = 600.0
"""Between two attempts at an endpoint that fails again and again."""
PROBE_AFTER = 5
"""Failed attempts in a row from which on an endpoint gets one delivery at a time, further and further apart."""


def delivery_s(attempts: int, first_s: float) -> float:
    """Return after how many seconds a delivery is tried again that was so many times in vain."""
    return _jittered(min(LONGEST_S, first_s * 2.0 ** min(attempts - 1, 40)))


def endpoint_s(failures: int, first_s: float) -> float | None:
    """Return for how long nothing is sent to an endpoint that failed so often in a row; None: not at all."""
    if failures < PROBE_AFTER:
        return None
    return _jittered(min(ENDPOINT_LONGEST_S, first_s * 2.0 ** min(failures - PROBE_AFTER, 40)))


def retry_after_s(header: str | None, now: datetime) -> float | None:
    """Return how long a receiver asks to be left alone, within bounds; None: it does not, or nobody can read it."""
    text = (header or "").strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_S)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max((at - now).total_seconds(), 0.0), LONGEST_S)


def _jittered(seconds: float) -> float:
    """Spread what failed together, so that it does not come again together."""
    return seconds * random.uniform(0.75, 1.25)  # noqa: S311  hides nothing
