"""Wakes a waiting loop from signal handlers. Owns a pipe; nothing here takes a lock.

A handler may interrupt another handler, in the middle of anything. `threading.Event.set` takes a lock, and there waits
for itself for ever; a write to a pipe that never blocks does not.
"""

from __future__ import annotations

import os
import select
from contextlib import suppress


class Wake:
    """A flag to wait for; `set` may be called by a signal handler that interrupts another."""

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def set(self) -> None:
        """End the present wait, or the next."""
        with suppress(BlockingIOError):  # full: whoever waits is woken as it is
            os.write(self._writing, b"\0")

    def wait(self, timeout_s: float) -> None:
        """Wait until the flag is set, at most so long; take the flag down again."""
        readable, _, _ = select.select([self._reading], [], [], timeout_s)
        if readable:
            with suppress(BlockingIOError):
                while os.read(self._reading, 4096):
                    pass

    def close(self) -> None:
        """Close the pipe."""
        os.close(self._reading)
        os.close(self._writing)
