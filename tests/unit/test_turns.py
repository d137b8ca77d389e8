"""The clock of the tests: stands still while the process does, and runs on while the software only waits."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from tests.fixtures import turns
from tests.fixtures.waiting import own_time, wait_until

STOPPED_S = 0.5
_CHILD = """
from tests.fixtures.turns import Watch
watch = Watch()
print("watching", flush=True)
input()
print(watch.elapsed_s(), flush=True)
"""


def test_a_process_that_is_stopped_loses_no_time() -> None:
    began = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-c", _CHILD], cwd=Path(__file__).parents[2], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as child:  # fmt: skip
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            assert child.stdout.readline() == "watching\n"
            os.kill(child.pid, signal.SIGSTOP)
            wait_until(lambda: psutil.Process(child.pid).status() == psutil.STATUS_STOPPED)
            time.sleep(STOPPED_S)  # what is tested is that this time does not count
            os.kill(child.pid, signal.SIGCONT)
            told, _ = child.communicate("\n", timeout=60)
        finally:
            child.kill()  # one that stands still would be waited for without an end
    assert 0 <= float(told) < time.monotonic() - began - STOPPED_S


def test_a_wait_for_what_never_comes_ends() -> None:
    with pytest.raises(AssertionError, match="the moon"):
        wait_until(lambda: False, within_s=0.1, what="the moon")


async def test_a_block_that_takes_too_long_ends_and_no_sooner_for_time_without_a_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lost_s = [0.0]
    monkeypatch.setattr(turns._turns, "lost_s", lambda: lost_s[0])
    async with own_time(0.05):
        lost_s[0] += 60
        await asyncio.sleep(0.2)  # what is tested is that this time does not count
    with pytest.raises(TimeoutError):
        async with own_time(0.05):
            await asyncio.Event().wait()


def test_where_nobody_watches_time_runs_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a fork, whose threads are not there: a wait would never end."""
    gone = threading.Thread(target=str)
    gone.start()
    gone.join(10)
    monkeypatch.setattr(turns._turns, "_watching", gone)
    watch = turns.Watch()
    deadline = time.monotonic() + 60
    while watch.elapsed_s() < 0.01:
        assert time.monotonic() < deadline
