"""How often one address or customer may do something. Owns the counts of this process, in bounded memory; no I/O."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict

MOST = 100_000
"""Names remembered, about 20 MB: beyond it the one longest not seen is forgotten."""
MINUTE_S = 60.0


class RateLimit:
    """A token bucket a name."""

    def __init__(self, per_minute: int) -> None:
        """Take how many a minute; 0: any number."""
        self._most = per_minute
        self._seen: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def wait_s(self, name: str, cost: float = 1.0, *, homes: int = 1) -> float:
        """Count one more; return 0, or in how many seconds it would be let through.

        A `cost` of 0 asks and counts nothing. A name that stands for several `homes` may do that many times as much.
        """
        if not self._most or not name:
            return 0.0
        # Names are what somebody sends, of any length: eight bytes of digest tell them apart.
        key = hashlib.blake2b(name.encode(), digest_size=8).digest()
        now, earning = time.monotonic(), self._most / MINUTE_S
        tokens, at = self._seen.pop(key, (float(self._most), now))
        tokens = min(self._most, tokens + (now - at) * earning)
        least = 1 / homes
        let_through = tokens >= least
        self._seen[key] = (tokens - cost / homes if let_through else tokens, now)
        if len(self._seen) > MOST:
            self._seen.popitem(last=False)
        return 0.0 if let_through else (least - tokens) / earning

    def __len__(self) -> int:
        """Return how many names are remembered."""
        return len(self._seen)
