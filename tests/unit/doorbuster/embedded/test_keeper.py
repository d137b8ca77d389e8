"""A keeper goes on keeping, whatever keeps its process from starting."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from doorbuster.embedded import processes
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


def test_a_log_file_is_rotated_while_its_process_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "LOG_MAX_BYTES", 10_000)
    log = tmp_path / "chatty.log"
    chatty = "import sys\nwhile True: sys.stdout.write('x' * 99 + '\\n'); sys.stdout.flush(); sys.stdin.read(0)"
    process = processes.spawn(Command(argv=[sys.executable, "-c", chatty], cwd=tmp_path, log=log, env={}))
    try:
        for _ in range(3):
            wait_until(lambda: log.stat().st_size > 10_000, what="a full log")
            assert processes.rotate(log)
            assert log.with_suffix(".log.1").stat().st_size > 10_000
        wait_until(lambda: log.stat().st_size > 0, what="the process to write on")
        # It goes on at the new end, and leaves no hole before it.
        assert log.read_bytes()[:1] == b"x"
    finally:
        process.kill()
        process.wait()
    assert not processes.rotate(tmp_path / "none.log")


def test_one_that_may_not_be_started_yet_waits_without_being_asked_all_the_time(tmp_path: Path) -> None:
    allowed = False
    keeper = Keeper("waiting", "store", _ends_at_once(tmp_path), may_restart=lambda: allowed)
    keeper.start()
    wait_until(keeper.tend, what="the end to be noticed")
    keeper.failures = 0
    keeper._due = 0.0
    assert not keeper.tend()
    assert keeper.process is None
    assert 0 < keeper.pause_s <= processes.ASK_AGAIN_S
    allowed = True
    wait_until(keeper.tend, what="it to be started again")
    assert keeper.process is not None
    keeper.process.wait(20)
