"""The end of what runs beside the requests."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from intake.server.lifespan import Lifespan

pytestmark = pytest.mark.versions


async def test_what_runs_ends_also_when_its_first_cancellation_is_swallowed() -> None:
    began, ended, closed = asyncio.Event(), asyncio.Event(), []

    async def deaf_once() -> None:
        began.set()
        with suppress(asyncio.CancelledError):  # as a time-out does that ends at the same moment
            await asyncio.Event().wait()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def close() -> None:
        closed.append(ended.is_set())

    lifespan = Lifespan(opening=[], running=[deaf_once], closing=[close])
    await lifespan.process_startup({}, {})
    await began.wait()
    async with asyncio.timeout(10):
        await lifespan.process_shutdown({}, {})
    assert closed == [True], "closed before what runs had ended"
