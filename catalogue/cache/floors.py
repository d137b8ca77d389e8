"""What this process knows to be outdated. Owns the floors it heard of, for as long as an old copy could come by.

The cache keeps floors too, but may lose them; these do not depend on it. Bounded: past its bound it forgets the single
floors and distrusts every shared copy made before now instead.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from catalogue.cache.subjects import NO_FLOOR, MinVersion

if TYPE_CHECKING:
    from collections.abc import Mapping

FLOORS_MAX = 50_000


class MinVersions:
    """Floors by subject."""

    def __init__(self, *, keep_s: float) -> None:
        self._keep_s = keep_s
        self._floors: dict[str, tuple[MinVersion, float]] = {}
        self._distrusted_until = 0.0
        self._distrusted_before = 0.0

    def of(self, subject: str) -> MinVersion:
        """Return the subject's floor."""
        found = self._floors.get(subject)
        return NO_FLOOR if found is None else found[0]

    def put(self, floors: Mapping[str, MinVersion]) -> list[str]:
        """Take floors; return the subjects whose floor rose."""
        now = time.monotonic()
        risen = []
        for subject, floor in floors.items():
            if floor.version > self.of(subject).version:
                self._floors.pop(subject, None)  # the youngest stand last
                self._floors[subject] = (floor, now)
                risen.append(subject)
        self._forget(now)
        return risen

    def distrust(self) -> None:
        """Trust no copy made before now."""
        now = time.monotonic()
        self._floors.clear()
        self._distrusted_before, self._distrusted_until = now, now + self._keep_s

    def trusts(self, age_s: float) -> bool:
        """Say whether a shared copy of this age may be shown."""
        now = time.monotonic()
        return now > self._distrusted_until or now - age_s > self._distrusted_before

    def _forget(self, now: float) -> None:
        if len(self._floors) > FLOORS_MAX:
            self.distrust()
            return
        for subject, (_, at) in list(zip(self._floors, self._floors.values(), strict=False))[:100]:
            if now - at < self._keep_s:
                return
            del self._floors[subject]
