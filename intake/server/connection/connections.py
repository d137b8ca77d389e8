"""The open connections of a process, by what each waits for. Owns their number and their time; reads no bytes.

A stage keeps its connections in the order in which they came into it, and each may stay equally long: whose time is
over stands in front. One timer for all of them; a request costs two dictionary writes and no timer of its own.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from doorbuster.settings import Settings

TICK_S = 0.1
LATE_S = 0.5
"""A tick that comes later than this judges nobody: what arrived while the process stood still is read first."""
LINGER_S = 2.0
"""How long what is still being sent is thrown away behind the last answer, before the connection is closed."""
LINGER_BYTES = 64 * 1024 * 1024
"""How much of it."""
UNREAD_MAX = 64 * 1024 * 1024
"""Bytes of pipelined requests that may lie unread in one process; past it who pipelines is cut off."""


class ConnectionBounds(NamedTuple):
    """What one connection may take, and how many there may be."""

    connections: int = 10_000
    head_bytes: int = 32 * 1024
    head_lines: int = 100
    first_s: float = 30.0
    idle_s: float = 75.0
    head_s: float = 10.0
    body_s: float = 10.0
    write_s: float = 30.0


def bounds_of(settings: Settings, connections: int) -> ConnectionBounds:
    """Return the bounds that the settings name, for at most so many connections."""
    return ConnectionBounds(
        connections=connections,
        head_bytes=settings.head_bytes_max,
        head_lines=settings.head_lines_max,
        first_s=settings.first_request_timeout_s,
        idle_s=settings.idle_timeout_s,
        head_s=settings.head_timeout_s,
        body_s=settings.body_timeout_s,
        write_s=settings.write_timeout_s,
    )


class Connection(Protocol):
    """What is asked of a connection whose time is over."""

    loop: asyncio.AbstractEventLoop
    transport: Any

    def head_is_late(self) -> None:
        """Give up a head that takes too long."""

    def finish(self) -> None:
        """Close, whatever is still being sent."""


class ConnectionStage(dict[Connection, float]):
    """Connections that wait for the same, each with the time at which it began to."""

    def __init__(self, name: str, most_s: float, end: Callable[[Connection], None]) -> None:
        super().__init__()
        self.name = name
        self._most_s, self._end = most_s, end

    def end_overdue(self, now: float) -> None:
        """End what stays too long."""
        while self and self[front := next(iter(self))] + self._most_s <= now:
            del self[front]
            self._end(front)


class Connections:
    """All connections of a process."""

    def __init__(self, bounds: ConnectionBounds | None = None) -> None:
        self.bounds = bounds = bounds or ConnectionBounds()
        self.open: set[Connection] = set()
        self.silent = ConnectionStage("silent", bounds.first_s, lambda connection: connection.transport.close())
        """Those that never began a request."""
        self.idle = ConnectionStage("idle", bounds.idle_s, lambda connection: connection.transport.close())
        """Those between two requests."""
        self.heads = ConnectionStage("heads", bounds.head_s, lambda connection: connection.head_is_late())
        """Those in whose head something is missing."""
        self.rests = ConnectionStage("rests", bounds.body_s, lambda connection: connection.transport.close())
        """Those that were answered before they had sent the whole body."""
        self.stuck = ConnectionStage("stuck", bounds.write_s, lambda connection: connection.transport.abort())
        """Those that do not read their answers."""
        self.lingering = ConnectionStage("lingering", LINGER_S, lambda connection: connection.finish())
        """Those that had their last answer and may still be sending."""
        self.closing = ConnectionStage("closing", bounds.write_s, lambda connection: connection.transport.abort())
        """Those that are closed as soon as they have read the rest."""
        self.stages = (
            self.silent, self.idle, self.heads, self.rests, self.stuck, self.lingering, self.closing,
        )  # fmt: skip
        self.refused: Counter[str] = Counter()
        """What was refused before it was a request, by code, since it was last looked at."""
        self.unread = 0
        self._due = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None

    def add(self, connection: Connection) -> bool:
        """Take a connection in, in place of the one that idles longest if there is no room; False: there is none."""
        if self._loop is None:
            self._loop = connection.loop
            self._wait()
        self.open.add(connection)
        if len(self.open) > self.bounds.connections:
            spare = self._spare()
            if spare is None:
                return False
            self._leave_stages(spare)
            spare.transport.abort()
        self.silent[connection] = connection.loop.time()
        return True

    def forget(self, connection: Connection) -> None:
        """Let a connection go."""
        self.open.discard(connection)
        self._leave_stages(connection)

    def pop_refused_by_code(self) -> list[tuple[str, int]]:
        """Return how many messages were refused since the last time, by code."""
        refused = list(self.refused.items())
        self.refused.clear()
        return refused

    def _leave_stages(self, connection: Connection) -> None:
        for stage in self.stages:
            stage.pop(connection, None)

    def _spare(self) -> Connection | None:
        """Return who idles longest, or makes a head longest: whoever is honest has only just come."""
        fronts = [(stage[front], front) for stage in (self.heads, self.silent, self.idle) for front in islice(stage, 1)]
        return min(fronts, key=lambda front: front[0])[1] if fronts else None

    def _wait(self) -> None:
        assert self._loop is not None
        self._due = self._loop.time() + TICK_S
        self._loop.call_later(TICK_S, self._tick)

    def _tick(self) -> None:
        assert self._loop is not None
        now = self._loop.time()
        is_late = now - self._due > LATE_S
        if not self.open:
            self._loop = None  # the next connection winds it up again
            return
        self._wait()
        if not is_late:
            for stage in self.stages:
                stage.end_overdue(now)
