"""Listeners to event streams: what each takes of its process, and how soon all are told. Owns that row."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from uuid import UUID

import msgspec

from loadtests.bench.row import Row
from loadtests.bench.scale import Scale
from loadtests.bench.shop import Fresh, mix, open_sale
from loadtests.scene.loopback import target_of
from loadtests.scene.system import System
from loadtests.traffic.crew import carry_out
from loadtests.traffic.plan import MAX_SECONDS, Plan

SALE = "listening"
BYTES_MAX = 16 * 1024
"""Of a listener."""
WORKERS = 3
_BOUND_S = 300.0


class Listening(msgspec.Struct):
    """One run: listeners, each to an order of its own."""

    listeners: int
    bytes_each: float
    told_s: float
    """From the first listener that heard of its order's decision to the last; the drain's own time is in it."""


async def measure(scale: Scale, systems: Fresh) -> Listening:
    """Accept orders, listen to each while nothing drains them, then let them be decided."""
    async with systems.fresh(workers=WORKERS) as system:
        await open_sale(system, SALE)
        with system.draining_paused():
            paths = await _placed(system, scale)
            before = system.resident_bytes("intake")
            listening = await _listen(system, paths)
            held = system.resident_bytes("intake") - before
        try:
            told_s = float((await _line(listening, "heard")).split()[2])
        finally:
            assert listening.stdin is not None
            listening.stdin.close()
            await listening.wait()
    return Listening(len(paths), held / len(paths), told_s)


async def _placed(system: System, scale: Scale) -> list[str]:
    plan = Plan(
        base=system.ready.base, mix=mix(SALE, "listening"), connections=scale.clients, count=scale.listeners,
        seconds=MAX_SECONDS,
    )  # fmt: skip
    ids = (await carry_out(plan)).order_ids
    return [f"/orders/{UUID(bytes=ids[at : at + 16])}/events" for at in range(0, len(ids), 16)]


async def _listen(system: System, paths: list[str]) -> Process:
    """Start who listens, and wait until every stream has begun."""
    listening = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "loadtests.traffic.listening", stdin=PIPE, stdout=PIPE
    )
    assert listening.stdin is not None
    port = target_of(system.ready.base).port
    listening.stdin.write(f"{port} pending {' '.join(paths)}\n".encode())
    await listening.stdin.drain()
    await _line(listening, "open")
    return listening


async def _line(listening: Process, word: str) -> str:
    assert listening.stdout is not None
    async with asyncio.timeout(_BOUND_S):
        line = (await listening.stdout.readline()).decode()
    if not line.startswith(word):
        raise RuntimeError(f"who listens did not come to its end: {line!r}")
    return line


def said(one: Listening) -> str:
    """Return a run as a line."""
    return f"{one.listeners:,} listeners, {one.bytes_each:,.0f} bytes each, all told within {one.told_s:.2f} s"


def row(one: Listening) -> Row:
    """Return its line of the table."""
    return Row(
        what=f"a listener's memory, {one.listeners:,} of them",
        ours=one.bytes_each,
        rival_name="the most allowed",
        rival=BYTES_MAX,
        bar=1.0,
        unit=" bytes",
        at_most=True,
    )
