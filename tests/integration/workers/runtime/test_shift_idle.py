"""A shift ends as idle after looks that found nothing, not after one that took long."""

from __future__ import annotations

import asyncio
import time

import pytest

from doorbuster.settings import Settings
from workers.runtime import shift
from workers.runtime.shift import EndReason

IDLE_S = 0.2


class DueSoon:
    """Work that is due a moment after the first look, while the second, which came before, stands still."""

    full = 1
    paced = False
    is_busy = False
    looks = done = 0

    async def begin(self) -> None:
        """Begin."""

    async def step(self) -> int:
        """Do what is due."""
        self.looks += 1
        if self.looks == 2:
            _stand_still()
        if self.looks < 3 or self.done:
            await asyncio.sleep(0.01)
            return 0
        self.done += 1
        return 1

    async def end(self, *, immediately: bool) -> None:
        """Have nothing under way."""


def _stand_still() -> None:
    time.sleep(2 * IDLE_S)


@pytest.mark.usefixtures("database_url")
async def test_what_is_due_while_the_process_stands_still_is_found(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shift, "IDLE_S", IDLE_S)
    work = DueSoon()
    assert await shift.run("sweep", settings, asyncio.Event(), lambda _shift: work) is EndReason.IDLE
    assert work.done == 1
    assert work.looks > 3, "it looked on for a while"
