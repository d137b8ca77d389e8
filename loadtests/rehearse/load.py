"""The load of a rehearsal: a rate held for a while, or a crowd. Owns what is sent to the shadow; judges nothing."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from math import ceil
from time import perf_counter
from typing import TypeVar

import msgspec

from loadtests.generate.shapes import Shape
from loadtests.rehearse.criteria import Measured
from loadtests.rehearse.live_promise import GaveWayError
from loadtests.rehearse.shadow import Shadow, StoppedError
from loadtests.traffic.crew import carry_out
from loadtests.traffic.plan import MAX_CONNECTIONS, Mix, Plan, Result, Way
from loadtests.traffic.samples import Samples

T = TypeVar("T")
BESIDE_CONNECTIONS = 8
"""Requests under way at a time while a sale is on."""
_TAIL_S = 30.0
"""How long after the last arrival answers are waited for: in a room a visitor looks every second or so."""


class Aim(msgspec.Struct, frozen=True, kw_only=True):
    """Where the load goes."""

    base: str
    sale: str
    products: list[str]
    has_room: bool
    beside: bool = False
    """Whether a sale is on: then the load gives way to all else on its machine, and few requests are under way."""

    @property
    def connections_max(self) -> int:
        """Return how many requests may be under way."""
        return BESIDE_CONNECTIONS if self.beside else MAX_CONNECTIONS


class Load:
    """Sends to a shadow; each sending has customers of its own."""

    def __init__(self, aim: Aim, shadow: Shadow) -> None:
        self._aim, self._shadow = aim, shadow
        self._sent = 0
        self.orders = 0
        """Offered so far."""

    async def hold(self, rate: float, seconds: float) -> Measured:
        """Hold a rate.

        Raises:
            StoppedError: the rehearsal is to stop.
            GaveWayError: a sale that is on suffers from it.
        """
        _, measured = await self.play(Shape([(0.0, rate), (seconds, rate)]))
        return measured

    async def play(self, shape: Shape) -> tuple[Result, Measured]:
        """Send a crowd.

        Raises:
            StoppedError: the rehearsal is to stop.
            GaveWayError: a sale that is on suffers from it.
        """
        arrivals = shape.arrivals()
        self._sent += 1
        self.orders += len(arrivals)
        aim = self._aim
        plan = Plan(
            base=aim.base,
            mix=Mix(
                products=aim.products,
                weights=[1.0] * len(aim.products),
                second_line=0.15 if len(aim.products) > 1 else 0.0,
                path=f"/sales/{aim.sale}/orders",
                prefix=f"rehearsal-{self._sent}",
            ),
            connections=min(max(ceil(shape.peak), 16), aim.connections_max),
            arrivals=arrivals.tobytes(),
            seconds=_TAIL_S,
            tries=1,
            room=Way(base=f"/sales/{aim.sale}/room", customers=True) if aim.has_room else None,
            keep_ids=False,
            gives_way=aim.beside,
        )
        began, first = perf_counter(), len(self._shadow.looks)
        processes = 1 if shape.peak < 500 else min(2, os.cpu_count() or 1)
        result = await self._unless_stopped(partial(carry_out, plan, processes=processes))
        looks = [(at - began, lag) for at, lag, _ in self._shadow.looks[first:] if at - began <= shape.seconds + 1.0]
        return result, Measured(
            seconds=shape.seconds,
            offered=result.offered,
            accepted=result.accepted_count,
            refused={code: count for code, count in result.outcomes.items() if code != "accepted"},
            p99_ms=Samples.from_bytes(result.accepted).percentile(99) * 1000,
            late_s=result.late_s,
            lags=looks,
        )

    async def _unless_stopped(self, send: Callable[[], Awaitable[T]]) -> T:
        """Wait for a sending; when the rehearsal is to stop, it ends at once."""
        task = asyncio.ensure_future(send())
        with self._shadow.offering():
            while not task.done():
                looking = asyncio.ensure_future(self._shadow.look())
                await asyncio.wait({task, looking}, return_when=asyncio.FIRST_COMPLETED)
                looking.cancel()
                if not task.done():
                    try:
                        self._shadow.check()
                    except (StoppedError, GaveWayError):
                        task.cancel()
                        with suppress(asyncio.CancelledError):
                            await task
                        raise
        return task.result()
