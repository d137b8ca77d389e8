"""Waking a loop from signal handlers that interrupt one another."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from doorbuster.embedded.wake import Wake

INTERRUPTED = """
import os, signal, sys, threading
from doorbuster.embedded.wake import Wake
wake = {made}
signal.signal(signal.SIGCHLD, lambda *_: wake.set())
left = 20_000
def interrupt(frame, event, argument):
    # Another signal at every line that runs inside of set(): whatever set() is in the middle of, it is called again.
    global left
    if event == "line" and left:
        left -= 1
        sys.settrace(None)
        signal.raise_signal(signal.SIGCHLD)
        sys.settrace(interrupt)
    return interrupt
sys.settrace(interrupt)
for _ in range(50):
    wake.set()
sys.settrace(None)
print("through")
"""


@pytest.fixture
def wake() -> Iterator[Wake]:
    made = Wake()
    yield made
    made.close()


def test_waiting_ends_when_set_before_or_meanwhile_and_when_the_time_is_over(wake: Wake) -> None:
    wake.set()
    wake.set()
    wake.wait(60)
    began = time.monotonic()
    wake.wait(0.05)
    assert time.monotonic() - began >= 0.05
    former = signal.signal(signal.SIGUSR1, lambda *_: wake.set())
    try:
        threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        wake.wait(60)
    finally:
        signal.signal(signal.SIGUSR1, former)


def test_any_number_of_sets_neither_blocks_nor_is_kept(wake: Wake) -> None:
    for _ in range(100_000):
        wake.set()
    wake.wait(60)
    began = time.monotonic()
    wake.wait(0.01)
    assert time.monotonic() - began >= 0.01


def _through(made: str, within_s: float) -> bool:
    """Return whether a process gets through when signals interrupt the setting of its flag."""
    argv = [sys.executable, "-c", INTERRUPTED.replace("{made}", made)]
    try:
        done = subprocess.run(argv, capture_output=True, timeout=within_s, env=dict(os.environ), text=True)
    except subprocess.TimeoutExpired:
        return False
    assert done.returncode == 0, done.stderr
    return done.stdout == "through\n"


def test_a_handler_that_interrupts_another_gets_through() -> None:
    assert _through("Wake()", 60)


def test_an_event_would_wait_for_itself() -> None:
    """The negative control: what the supervisor had before."""
    assert not _through("threading.Event()", 5)
