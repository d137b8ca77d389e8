"""Ending what runs beside a test."""

from __future__ import annotations

import asyncio
import contextlib

from tests.fixtures.waiting import end


async def test_a_task_that_does_not_hear_that_it_is_cancelled_is_ended() -> None:
    """As the driver of Redis before Python 3.12, where a command is sent at the same moment."""
    swallowed = 0

    async def go_on() -> None:
        nonlocal swallowed
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        swallowed += 1
        await asyncio.Event().wait()

    tasks = [asyncio.create_task(go_on()) for _ in range(2)]
    await asyncio.sleep(0)
    await end(*tasks)
    assert (swallowed, [task.cancelled() for task in tasks]) == (2, [True, True])
