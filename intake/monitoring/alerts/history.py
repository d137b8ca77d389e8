"""The samples of the last minutes, as far as alerts look back. Owns how long they are kept and what grew in a while."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

Labels = tuple[tuple[str, str], ...]
Samples = Mapping[str, Mapping[Labels, float]]
"""Name of a sample -> its labels in order -> its value."""


class History:
    """Keeps what was gathered at each look, for as long as any alert looks back."""

    def __init__(self, names: Iterable[str], *, keep_s: float) -> None:
        self._names, self._keep_s = frozenset(names), keep_s
        self._looks: deque[tuple[float, Samples]] = deque()

    def add(self, at: float, samples: Samples) -> None:
        """Take what was gathered now, by a clock that only goes forward."""
        self._looks.append((at, {name: samples[name] for name in self._names if name in samples}))
        # One look more than the window: what grew in a minute is told by the last look before it.
        while len(self._looks) > 1 and self._looks[1][0] <= at - self._keep_s:
            self._looks.popleft()

    def extremes(self, name: str, within_s: float, *, highest: bool) -> dict[Labels, float]:
        """Return each series' highest or lowest value within these seconds; 0: its newest."""
        pick = max if highest else min
        found: dict[Labels, float] = {}
        for _, samples in self._since(within_s):
            for labels, value in samples.get(name, {}).items():
                found[labels] = pick(found.get(labels, value), value)
        return found

    def growth(self, name: str, within_s: float) -> dict[Labels, float]:
        """Return by how much each counter grew within these seconds; one that began again counts from nought."""
        grown: dict[Labels, float] = {}
        last: dict[Labels, float] = {}
        for _, samples in self._since(within_s):
            for labels, value in samples.get(name, {}).items():
                before = last.get(labels, value)
                grown[labels] = grown.get(labels, 0.0) + (value - before if value >= before else value)
                last[labels] = value
        return grown

    def _since(self, within_s: float) -> list[tuple[float, Samples]]:
        if not self._looks:
            return []
        newest = self._looks[-1][0]
        return [look for look in self._looks if look[0] >= newest - within_s]
