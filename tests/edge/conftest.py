"""An intake with a sale that is open and known, for whoever attacks it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.fixtures.ending_loops import EndingLoop
from tests.fixtures.intake import Intake, Serve


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Take the loop that serves: how a connection ends is its transport's."""
    return {"uvloop": EndingLoop}


@pytest.fixture
async def shop(serve: Serve) -> Intake:
    """An intake as it is by default, with a sale of `hot`."""
    return await opened(await serve())


async def opened(intake: Intake) -> Intake:
    """Open a sale, and have the intake know it."""
    await intake.open_sale()
    assert (await intake.post("sale")).status_code == 202
    return intake
