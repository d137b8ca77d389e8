"""How long the benchmark measures what. Owns sizes only; the shop they are measured in is `shop.py`."""

from __future__ import annotations

import msgspec


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """Repetitions, orders and seconds of a benchmark."""

    repeats: int
    orders: int
    """Accepted in one repetition, then drained."""
    half_s: float
    """Open loop at half the load."""
    floor_s: float
    rival_s: float
    whole_s: float
    steady_orders: int
    """Whose last twentieth is held against the first."""
    visitors: int
    """Who join the room that is measured."""
    listeners: int
    """Each to the events of an order of its own."""
    products: int
    """In the catalogue that is searched."""
    searches: int
    """Of each kind."""
    clients: int = 64


FULL = Scale(
    repeats=3, orders=80_000, half_s=5.0, floor_s=5.0, rival_s=4.0, whole_s=10.0,
    steady_orders=1_000_000, visitors=20_000, listeners=4_000, products=20_000, searches=60,
)  # fmt: skip
QUICK = Scale(
    repeats=1, orders=3_000, half_s=0.5, floor_s=0.5, rival_s=0.5, whole_s=1.0, steady_orders=2_000, visitors=1_500,
    listeners=1_000, products=500, searches=2,
)  # fmt: skip
