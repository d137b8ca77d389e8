"""Shapes of traffic: how many orders arrive when. Pure; reads a file when told one, never sends anything.

A shape is a list of (second, orders a second) corners joined by straight lines. The fixed arrival times of an open
loop and the user counts of a Locust run both come from it.
"""

from __future__ import annotations

import csv
from array import array
from bisect import bisect_right
from datetime import datetime
from math import sqrt
from pathlib import Path

import msgspec


class Shape(msgspec.Struct, frozen=True):
    """Rate over time: straight lines between corners (second, orders a second), seconds ascending from 0."""

    corners: list[tuple[float, float]]

    def __post_init__(self) -> None:
        seconds = [second for second, _ in self.corners]
        if len(seconds) < 2 or seconds[0] != 0 or seconds != sorted(seconds):
            raise ValueError("a shape needs two corners or more, from second 0 on, in order of time")
        if any(rate < 0 for _, rate in self.corners):
            raise ValueError("a rate cannot be negative")

    @property
    def seconds(self) -> float:
        """How long the shape lasts."""
        return self.corners[-1][0]

    @property
    def peak(self) -> float:
        """The highest rate."""
        return max(rate for _, rate in self.corners)

    @property
    def total(self) -> float:
        """How many orders arrive in all."""
        return sum(_area(*pair) for pair in self._segments())

    def rate_at(self, second: float) -> float:
        """Return the rate at a time; 0 outside the shape."""
        if not 0 <= second <= self.seconds:
            return 0.0
        place = min(bisect_right([corner[0] for corner in self.corners], second), len(self.corners) - 1)
        (start, before), (end, after) = self.corners[place - 1], self.corners[place]
        return before if end == start else before + (after - before) * (second - start) / (end - start)

    def arrivals(self) -> array[float]:
        """Return each arrival's time: the n-th comes when the area under the rate reaches n."""
        times = array("d")
        carried = 0.0
        for (start, before), (end, after) in self._segments():
            area = _area((start, before), (end, after))
            slope = (after - before) / (end - start) if end > start else 0.0
            target = 1.0 - carried
            while target <= area:
                times.append(start + _reach(before, slope, target))
                target += 1.0
            carried = area - (target - 1.0)
        return times

    def _segments(self) -> list[tuple[tuple[float, float], tuple[float, float]]]:
        return list(zip(self.corners, self.corners[1:], strict=False))


def spike(*, base: float, factor: float = 50.0, calm_s: float = 5.0, rise_s: float = 2.0, peak_s: float = 6.0) -> Shape:
    """Return a spike of `factor` times the base rate, reached within `rise_s`, with calm before and after."""
    top = base * factor
    corners = [(0.0, base), (calm_s, base), (calm_s + rise_s, top), (calm_s + rise_s + peak_s, top)]
    fallen = calm_s + rise_s + peak_s + rise_s
    return Shape([*corners, (fallen, base), (fallen + calm_s, base)])


def herd(*, people: float, within_s: float = 1.0, calm: float = 1.0, calm_s: float = 4.0) -> Shape:
    """Return the crowd at an opening: `people` come all but at once, some are early, some late."""
    top, opened = people / within_s, calm_s + within_s
    return Shape([(0.0, calm), (calm_s, calm), (calm_s, top), (opened, top), (opened, calm), (opened + calm_s, calm)])


def recorded(path: Path, *, peak: float, seconds: float) -> Shape:
    """Return a recorded spike (CSV of minute, requests) rescaled to a peak rate and a length.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no such CSV.

    """
    with path.open(newline="") as file:
        rows = [(datetime.fromisoformat(row["minute"]), float(row["requests"])) for row in csv.DictReader(file)]
    if len(rows) < 2:
        raise ValueError(f"{path}: a shape needs two minutes or more")
    first, length = rows[0][0], (rows[-1][0] - rows[0][0]).total_seconds()
    highest = max(count for _, count in rows)
    return Shape([((at - first).total_seconds() / length * seconds, count / highest * peak) for at, count in rows])


def _area(left: tuple[float, float], right: tuple[float, float]) -> float:
    return (right[0] - left[0]) * (left[1] + right[1]) / 2


def _reach(rate: float, slope: float, area: float) -> float:
    """Return when a rate that starts at `rate` and grows by `slope` has covered `area` (root of the quadratic)."""
    if abs(slope) < 1e-9:
        return area / rate
    return 2 * area / (rate + sqrt(max(rate * rate + 2 * slope * area, 0.0)))
