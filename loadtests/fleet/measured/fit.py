"""Takes a cost apart: so much for each batch, so much for each order in it. Owns the arithmetic alone."""

from __future__ import annotations

from typing import NamedTuple


class Point(NamedTuple):
    """One measurement: so many batches and orders took so many seconds."""

    batches: float
    orders: float
    seconds: float


class Parts(NamedTuple):
    """Microseconds."""

    batch_us: float
    order_us: float


_TICK_S = 0.02
"""Processor time is counted in hundredths of a second, here and there."""
Row = tuple[float, float, float]


def apart(points: list[Point]) -> Parts:
    """Return what a batch and what an order take: least squares of the relative errors, neither below nought.

    Raises:
        ValueError: there are fewer than two points, or one took no time.
    """
    if len(points) < 2 or any(point.seconds <= 0 for point in points):
        raise ValueError(f"two measurements that took some time are needed: {points}")
    weights = [1 / (point.seconds + _TICK_S) for point in points]
    rows = [(one[0] * weight, one[1] * weight, one[2] * weight) for one, weight in zip(points, weights, strict=True)]
    both = _both(rows)
    if both is None or min(both) < 0:
        tried = [(_alone(rows, 0), 0.0), (0.0, _alone(rows, 1))]
        both = min(tried, key=lambda parts: _error(rows, parts))
    return Parts(both[0] * 1e6, both[1] * 1e6)


def _both(rows: list[Row]) -> tuple[float, float] | None:
    """Solve the normal equations; None if the points are all of one kind."""
    bb, bo, oo, bs, os = (_dot(rows, i, j) for i, j in ((0, 0), (0, 1), (1, 1), (0, 2), (1, 2)))
    determinant = bb * oo - bo * bo
    if determinant <= 1e-9 * bb * oo:
        return None
    return (bs * oo - os * bo) / determinant, (os * bb - bs * bo) / determinant


def _dot(rows: list[Row], i: int, j: int) -> float:
    return sum(row[i] * row[j] for row in rows)


def _alone(rows: list[Row], place: int) -> float:
    squares = _dot(rows, place, place)
    return _dot(rows, place, 2) / squares if squares else 0.0


def _error(rows: list[Row], parts: tuple[float, float]) -> float:
    return sum((seconds - batches * parts[0] - orders * parts[1]) ** 2 for batches, orders, seconds in rows)
