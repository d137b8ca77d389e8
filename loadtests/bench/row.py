"""A line of the benchmark's table: ours, a floor or rival, and the bar. Owns the comparison; measures nothing."""

from __future__ import annotations

import msgspec


class Row(msgspec.Struct):
    """One line: ours against a floor or rival; `bar` is what the ratio must reach, or with `at_most` not exceed."""

    what: str
    ours: float
    rival_name: str
    rival: float
    bar: float
    unit: str = "/s"
    at_most: bool = False

    @property
    def ratio(self) -> float:
        """Ours divided by the rival's."""
        return self.ours / self.rival if self.rival else 0.0

    @property
    def met(self) -> bool:
        """Whether the bar is reached."""
        return self.ratio <= self.bar if self.at_most else self.ratio >= self.bar
