"""Shoppers who order beside an attack and must not notice it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from statistics import quantiles

from tests.fixtures.intake import Intake
from tests.fixtures.raw import Raw, order
from tests.fixtures.turns import Watch

P99_MOST_S = 0.75
"""Of an order's time, as far as the process had its turns: a stall of the loop by one attacker shows in it."""
_keys = count()


async def _shop(intake: Intake, took_s: list[float], done: asyncio.Event) -> None:
    while not done.is_set() or not took_s:
        watch = Watch()
        async with Raw(intake.port) as raw:
            for _ in range(3):
                await raw.send(order(f"healthy-{next(_keys)}"))
                answer = await raw.answer()
                assert answer.status == 202, answer
        took_s.append(watch.elapsed_s())
        with suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), 0.02)


@asynccontextmanager
async def shopping(intake: Intake, shoppers: int = 3) -> AsyncIterator[list[float]]:
    """Let shoppers order, on a new connection every three orders, until the block ends."""
    took_s: list[float] = []
    done = asyncio.Event()
    tasks = [asyncio.create_task(_shop(intake, took_s, done)) for _ in range(shoppers)]
    try:
        yield took_s
    finally:
        done.set()
        await asyncio.gather(*tasks)
    assert quantiles([*took_s, *took_s], n=100)[98] < P99_MOST_S, sorted(took_s)[-5:]
