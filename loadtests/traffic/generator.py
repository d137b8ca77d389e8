"""The load generator: closed loop (N clients) or open loop (fixed times of arrival), on one event loop.

In an open loop an order's latency counts from the time it was meant to arrive, so a stalled server cannot hide its
stall by slowing the generator (coordinated omission). Bounded in orders, time and connections; loopback only.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import uvloop

from loadtests.traffic.fleet import Fleet
from loadtests.traffic.plan import Plan, Result
from loadtests.traffic.visiting import Visiting

Progress = Callable[[int, int], None]
"""Told the orders offered and finished, a few times a second."""


async def run(plan: Plan, progress: Progress | None = None) -> Result:
    """Carry out a plan and return what came of it."""
    fleet = Visiting(plan) if plan.room else Fleet(plan)
    await fleet.connect()
    reporting = asyncio.ensure_future(_report(fleet, progress)) if progress else None
    try:
        await fleet.run()
    finally:
        if reporting:
            reporting.cancel()
        fleet.close()
    return fleet.result()


async def _report(fleet: Fleet, progress: Progress) -> None:
    while True:
        progress(fleet.tally.offered, fleet.tally.finished)
        await asyncio.sleep(0.2)


def main() -> None:
    """Read a plan from standard input, tell progress by lines on standard output, write the result to a file."""
    plan = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Plan)
    out = sys.stdout.buffer

    def tell(offered: int, finished: int) -> None:
        try:
            out.write(b"%d %d\n" % (offered, finished))
            out.flush()
        except BrokenPipeError:  # whoever asked for the load is gone: nobody is left to stop it
            os._exit(1)

    Path(sys.argv[1]).write_bytes(msgspec.msgpack.encode(uvloop.run(run(plan, tell))))


if __name__ == "__main__":
    main()
