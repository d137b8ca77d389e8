"""Thousands of listeners to event streams, in a process of its own. Owns their sockets; measures nothing of the server.

One loop over all sockets, no task and no buffer each, so that what listens costs the machine little. Says `open N`
when every stream has begun, then `heard N SECONDS` when each was told of the state: from the first to the last of them.
"""

from __future__ import annotations

import contextlib
import select
import socket
import sys
import time
from collections.abc import Sequence

AT_ONCE = 50
"""Streams that are being opened at a time."""
BEGUN = b"retry: "
"""What stands in the first bytes of a stream."""


class Listening:
    """Sockets that listen, each to one stream."""

    def __init__(self, port: int, state: str) -> None:
        self._address = ("127.0.0.1", port)
        self._told = f'"status":"{state}"'.encode()
        self._poll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._tails: dict[int, bytes] = {}
        """The last bytes of each stream, in which what it waits for may have begun."""
        self.begun: set[int] = set()
        self.heard: set[int] = set()
        self.ended: set[int] = set()

    def open(self, path: str) -> None:
        """Ask for a stream."""
        one = socket.create_connection(self._address, timeout=30)
        one.sendall(f"GET {path} HTTP/1.1\r\nHost: listening\r\n\r\n".encode())
        one.setblocking(False)
        self._sockets[one.fileno()] = one
        self._tails[one.fileno()] = b""
        self._poll.register(one, select.EPOLLIN)

    def look(self, timeout_s: float) -> None:
        """Read what came."""
        for number, _ in self._poll.poll(timeout_s):
            data = b""
            with contextlib.suppress(BlockingIOError):
                data = self._sockets[number].recv(65_536)
            if not data:
                self.ended.add(number)
                self._poll.unregister(number)
                continue
            seen = self._tails[number] + data
            if BEGUN in seen:
                self.begun.add(number)
            if self._told in seen:
                self.heard.add(number)
            self._tails[number] = seen[-64:]

    def close(self) -> None:
        """Close everything."""
        for one in self._sockets.values():
            one.close()


def run(port: int, state: str, paths: Sequence[str], within_s: float = 300.0) -> None:
    """Open all streams, then wait until all were told of the state; say both.

    Raises:
        TimeoutError: not all of it happened in time.
    """
    listening, due = Listening(port, state), time.monotonic() + within_s
    for number, path in enumerate(paths):
        while number - len(listening.begun) >= AT_ONCE:
            _look(listening, due)
        listening.open(path)
    while len(listening.begun) < len(paths):
        _look(listening, due)
    sys.stdout.write(f"open {len(paths)}\n")
    sys.stdout.flush()
    first = 0.0
    while len(listening.heard) < len(paths):
        _look(listening, due)
        first = first or (time.monotonic() if listening.heard else 0.0)
    sys.stdout.write(f"heard {len(paths)} {time.monotonic() - first:.3f}\n")
    sys.stdout.flush()
    sys.stdin.read()  # until whoever started it has seen enough
    listening.close()


def _look(listening: Listening, due: float) -> None:
    listening.look(1.0)
    if time.monotonic() > due or listening.ended - listening.heard:
        counts = f"{len(listening.begun)} begun, {len(listening.heard)} told, {len(listening.ended)} ended"
        raise TimeoutError(f"not every listener was told: {counts}")


def main() -> None:
    """Read port, state and paths from standard input's first line and listen."""
    port, state, *paths = sys.stdin.readline().split()
    run(int(port), state, paths)


if __name__ == "__main__":
    main()
