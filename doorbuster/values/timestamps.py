"""Times of the order store as text. Pure: the same moment always gives the same text, a replay the same bytes."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache


@lru_cache(maxsize=4096)
def _second(unix_s: int) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")


@lru_cache(maxsize=1024)
def rfc3339_ms(unix_ms: int) -> str:
    """Return a time as RFC 3339 with milliseconds."""
    return f"{_second(unix_ms // 1000)}.{unix_ms % 1000:03d}Z"


def rfc3339_of(at: datetime) -> str:
    """Return a time of Postgres as RFC 3339 with milliseconds."""
    return rfc3339_ms(round(at.timestamp() * 1000))
