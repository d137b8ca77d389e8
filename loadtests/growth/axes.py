"""What may grow, and how far: the points that are measured. Owns values only; measures nothing.

A point differs from the first of its axis in one thing; all else is as in `Point`'s defaults.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

import msgspec

Axis = Literal["kept", "products", "lines", "limits", "partitions", "metadata"]
TITLES: dict[Axis, str] = {
    "kept": "orders kept",
    "products": "products in the sale",
    "lines": "lines of an order",
    "limits": "limits on people",
    "partitions": "partitions",
    "metadata": "bytes of metadata",
}


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement: which axis it is on, and all values."""

    axis: Axis
    kept: int = 10_000
    """Orders that are in the database before."""
    products: int = 100
    lines: int = 1
    """Of an order, each of another product."""
    limits: int = 0
    """Identities by which the sale limits; orders say all of them if there is any."""
    partitions: int = 1
    metadata: int = 0
    """Bytes that an order carries along."""

    @property
    def value(self) -> int:
        """The value on its axis."""
        value: int = getattr(self, self.axis)
        return value


class Extent(msgspec.Struct, frozen=True, kw_only=True):
    """How far a run goes: values of each axis, orders of each point, turns."""

    kept: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    products: tuple[int, ...] = (1, 100, 10_000, 100_000)
    lines: tuple[int, ...] = (1, 2, 5, 10, 20)
    limits: tuple[int, ...] = (0, 1, 2, 3, 4)
    partitions: tuple[int, ...] = (1, 2, 4, 8)
    metadata: tuple[int, ...] = (0, 1_024, 4_096, 8_192)
    orders: int = 10_000
    """Of each point and turn; fewer where they carry much."""
    turns: int = 3


QUICK = Extent(
    kept=(100, 1_000), products=(1, 100), lines=(1, 20), limits=(0, 4), partitions=(1, 8), metadata=(0, 8_192),
    orders=200, turns=1,
)  # fmt: skip
CARRIED_MAX = 40_000_000
"""Bytes of the bodies of a point: the generator has them in memory."""


PLAIN: tuple[Axis, ...] = ("kept", "products", "lines", "limits", "partitions", "metadata")
MANY_PRODUCTS = 20_000
"""A sale of more than these has a system of its own, lest what it costs while it is open is told of another."""


def stages(extent: Extent, axes: Collection[Axis] = PLAIN) -> list[list[Point]]:
    """Return the points of these axes by the systems that they are measured on, each with as many orders kept."""
    fewest = extent.kept[0]
    points = [
        _at(axis, value, value if axis == "kept" else fewest)
        for axis in PLAIN
        if axis in axes
        for value in getattr(extent, axis)
    ]
    alone = [point for point in points if point.kept > fewest or point.products > MANY_PRODUCTS]
    together = [point for point in points if point not in alone]
    return [*([together] if together else []), *([point] for point in alone)]


def orders_of(extent: Extent, point: Point) -> int:
    """Return how many orders a point is measured by."""
    return min(extent.orders, CARRIED_MAX // max(point.metadata, 1))


def _at(axis: Axis, value: int, kept: int) -> Point:
    return msgspec.structs.replace(Point(axis=axis, kept=kept), **{axis: value})
