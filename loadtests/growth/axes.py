"""What may grow, and how far: the points that are measured. Owns values only; measures nothing.

A point differs from the first of its axis in one thing; all else is as in `Point`'s defaults.
"""

from __future__ import annotations

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


def stages(extent: Extent) -> list[list[Point]]:
    """Return the points by the systems that they are measured on, each with as many orders kept.

    A sale of very many products costs something each second while it is open, whatever else is sold: each of those
    points has a system of its own.
    """
    fewest, *more = extent.kept
    axes: tuple[Axis, ...] = ("lines", "limits", "partitions", "metadata")
    plain = [_at(axis, value, fewest) for axis in axes for value in getattr(extent, axis)]
    return [
        [Point(axis="kept", kept=fewest), *plain],
        *([_at("products", value, fewest)] for value in extent.products),
        *([Point(axis="kept", kept=kept)] for kept in more),
    ]


def orders_of(extent: Extent, point: Point) -> int:
    """Return how many orders a point is measured by."""
    return min(extent.orders, CARRIED_MAX // max(point.metadata, 1))


def _at(axis: Axis, value: int, kept: int) -> Point:
    return msgspec.structs.replace(Point(axis=axis, kept=kept), **{axis: value})
