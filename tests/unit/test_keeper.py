"""A keeper goes on keeping, whatever keeps its process from starting."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from doorbuster.embedded.processes import BACKOFF_MAX_S, Command, Keeper
from tests.fixtures.waiting import wait_until


def _ends_at_once(folder: Path) -> Callable[[], Command]:
    return lambda: Command(argv=[sys.executable, "-c", ""], cwd=folder, log=folder / "log", env={})


def test_after_thousands_of_failures_it_still_starts_again(tmp_path: Path) -> None:
    keeper = Keeper("short-lived", "store", _ends_at_once(tmp_path), failures=5_000)
    keeper.start()
    wait_until(keeper.tend, what="the end to be noticed")
    assert keeper.failures == 5_001
    assert BACKOFF_MAX_S - 1 < keeper.pause_s <= BACKOFF_MAX_S


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EAGAIN, errno.EMFILE])
def test_what_cannot_be_started_is_tried_again_later(tmp_path: Path, code: int) -> None:
    makes = _ends_at_once(tmp_path)
    failing: list[OSError] = []

    def make() -> Command:
        if failing:
            raise failing[0]
        return makes()

    keeper = Keeper("unlucky", "store", make)
    keeper.start()
    wait_until(keeper.tend, what="the end to be noticed")
    failing.append(OSError(code, "no room"))
    former = keeper.failures
    wait_until(lambda: not keeper.tend() and keeper.failures > former, what="a start in vain")
    failing.clear()
    wait_until(lambda: keeper.tend() and keeper.pid, what="a start")
    wait_until(keeper.tend, what="the end to be noticed")
