"""Latency samples: every one is kept, so percentiles are exact. Never averages percentiles of several runs."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from math import ceil

PERCENTILES = (50.0, 90.0, 99.0, 99.9)


class Samples:
    """Durations in seconds."""

    def __init__(self, values: Iterable[float] = ()) -> None:
        self._values = array("d", values)
        self._sorted: list[float] | None = None

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[float]:
        return iter(self._values)

    def add(self, seconds: float) -> None:
        """Keep one sample."""
        self._values.append(seconds)
        self._sorted = None

    def extend(self, other: Samples) -> None:
        """Keep all samples of another run too."""
        self._values.extend(other._values)
        self._sorted = None

    def percentile(self, percent: float) -> float:
        """Return the smallest sample that at least `percent` of all do not exceed (nearest rank); 0.0 without samples.

        Raises:
            ValueError: `percent` is not in 0 to 100.

        """
        if not 0 <= percent <= 100:
            raise ValueError(f"{percent} is no percentage")
        if not self._values:
            return 0.0
        if self._sorted is None:
            self._sorted = sorted(self._values)
        return self._sorted[max(ceil(len(self._sorted) * percent / 100) - 1, 0)]

    def summary_ms(self) -> dict[str, float]:
        """Return the usual percentiles and the maximum in milliseconds."""
        named = {f"p{percent:g}": round(self.percentile(percent) * 1000, 2) for percent in PERCENTILES}
        return named | {"max": round(self.percentile(100) * 1000, 2)}

    def to_bytes(self) -> bytes:
        """Return the samples for another process of this machine."""
        return self._values.tobytes()

    @classmethod
    def from_bytes(cls, raw: bytes) -> Samples:
        """Return the samples that `to_bytes` wrote."""
        samples = cls()
        samples._values.frombytes(raw)
        return samples
