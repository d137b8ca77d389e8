"""The crowds that a rehearsal plays: a spike, the shape of a real one, or of a file. Pure but for reading a file."""

from __future__ import annotations

import csv
from datetime import datetime
from pathlib import Path

from loadtests.generate.shapes import Shape, spike

REAL = (
    24, 27, 23, 19, 19, 19, 199, 18, 19, 21, 21, 20, 22, 262, 445, 1000, 810, 957, 480, 112, 19, 18, 19, 19, 18, 18, 21,
    18, 18, 17, 21,
)  # fmt: skip
"""How a popular site rose 50 times within minutes: the rate of each of 31 minutes, in thousandths of the peak."""
POINTS_MAX = 10_000


class ShapeError(ValueError):
    """A file is no shape."""


def crowd(name: str, *, peak: float, seconds: float) -> Shape:
    """Return the shape of this name, or of the file of this name, with this peak, over so many seconds.

    Raises:
        ShapeError: it is neither.
    """
    if name == "spike":
        calm_s = (seconds - 10.0) / 3 if seconds > 16 else seconds / 5
        rise_s = min(5.0, seconds / 5)
        return spike(base=peak / 50, calm_s=calm_s, rise_s=rise_s, peak_s=max(seconds - 2 * (calm_s + rise_s), 0.1))
    points = [(float(minute), float(rate)) for minute, rate in enumerate(REAL)] if name == "real" else _read(Path(name))
    length, highest = points[-1][0] - points[0][0], max(rate for _, rate in points)
    if length <= 0 or highest <= 0:
        raise ShapeError(f"{name}: a shape needs two minutes or more, and a rate above 0")
    return Shape([((at - points[0][0]) / length * seconds, rate / highest * peak) for at, rate in points])


def _read(path: Path) -> list[tuple[float, float]]:
    """Read (minute, relative rate): CSV of two columns, the first `minute`, a number or a time of day."""
    try:
        with path.open(newline="") as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError) as error:
        raise ShapeError(f"{path}: {getattr(error, 'strerror', None) or 'is no text'}") from error
    if not rows or len(rows[0]) != 2 or rows[0][0].strip() != "minute":
        raise ShapeError(f"{path}: the first line must be: minute,rate")
    if not 2 <= len(rows) - 1 <= POINTS_MAX:
        raise ShapeError(f"{path}: a shape has 2 to {POINTS_MAX} minutes")
    points = []
    for number, row in enumerate(rows[1:], 2):
        try:
            minute, rate = row
            at = float(minute) if minute.strip().replace(".", "", 1).isdigit() else _minutes(minute)
            points.append((at, float(rate)))
        except ValueError as error:
            raise ShapeError(f"{path}: line {number} is not a minute and a rate") from error
        if not 0 <= points[-1][1] < 1e12 or (len(points) > 1 and points[-1][0] <= points[-2][0]):
            raise ShapeError(f"{path}: line {number}: rates are not negative, minutes go up")
    return points


def _minutes(text: str) -> float:
    return datetime.fromisoformat(text.strip()).timestamp() / 60
