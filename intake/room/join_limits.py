"""How often one address or customer may join. Owns the counts of this process, in bounded memory; does no I/O."""

from __future__ import annotations

import time
from collections import OrderedDict

MOST = 100_000
"""Names remembered: beyond it the one longest not seen is forgotten."""
MINUTE_S = 60.0


class JoinLimit:
    """A token bucket a name."""

    def __init__(self, per_minute: int) -> None:
        """Take how many a minute; 0: any number."""
        self._most = per_minute
        self._seen: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, name: str, cost: float = 1.0) -> float:
        """Count one more; return 0, or in how many seconds it would be let through."""
        if not self._most or not name:
            return 0.0
        now, earning = time.monotonic(), self._most / MINUTE_S
        tokens, at = self._seen.pop(name, (float(self._most), now))
        tokens = min(self._most, tokens + (now - at) * earning)
        let_through = tokens >= 1
        self._seen[name] = (tokens - cost if let_through else tokens, now)
        if len(self._seen) > MOST:
            self._seen.popitem(last=False)
        return 0.0 if let_through else (1 - tokens) / earning

    def __len__(self) -> int:
        """Return how many names are remembered."""
        return len(self._seen)
