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


def apart(points: list[Point]) -> Parts:
    """Return what a batch and what an order take: least squares of the relative errors, neither below nought.

    Raises:
        ValueError: there are fewer than two points, or one took no time.
    """
    if len(points) < 2 or any(point.seconds <= 0 for point in points):
        raise ValueError(f"two measurements that took some time are needed: {points}")
    rows = [(point.batches / point.seconds, point.orders / point.seconds) for point in points]
    both = _both(rows)
    if both is None or min(both) < 0:
        alone = [_alone(rows, place) for place in (0, 1)]
        tried = [(alone[0], 0.0), (0.0, alone[1])]
        both = min(tried, key=lambda parts: _error(rows, parts))
    return Parts(both[0] * 1e6, both[1] * 1e6)


def _both(rows: list[tuple[float, float]]) -> tuple[float, float] | None:
    """Solve the normal equations; None if the points are all of one kind."""
    bb, bo, oo = (sum(x * y for x, y in pairs) for pairs in _products(rows))
    b, o = sum(row[0] for row in rows), sum(row[1] for row in rows)
    determinant = bb * oo - bo * bo
    if determinant <= 1e-9 * bb * oo:
        return None
    return (b * oo - o * bo) / determinant, (o * bb - b * bo) / determinant


def _products(rows: list[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    return [[(row[i], row[j]) for row in rows] for i, j in ((0, 0), (0, 1), (1, 1))]


def _alone(rows: list[tuple[float, float]], place: int) -> float:
    squares = sum(row[place] ** 2 for row in rows)
    return sum(row[place] for row in rows) / squares if squares else 0.0


def _error(rows: list[tuple[float, float]], parts: tuple[float, float]) -> float:
    return sum((1 - row[0] * parts[0] - row[1] * parts[1]) ** 2 for row in rows)
