"""The fence around primaries that are none any more: the highest timeline that was seen of each cluster.

A promotion begins a new timeline, and nothing takes it back: a primary on a lower one was replaced, hung perhaps while
it was, and must never be written to again. Owns what was seen, in this process and by all of them, and ends the
connections that lead to such a primary. Never chooses a server.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Protocol
from weakref import WeakKeyDictionary, WeakSet

from doorbuster.failures import REDIS_FAILED

if TYPE_CHECKING:
    from db.connections.server_connection import ServerConnection, ServerIdentity

RECALL_S = 0.5
"""How long the memory of all processes is waited for."""

log = logging.getLogger("doorbuster.postgres")

_highest: dict[int, int] = {}
"""Cluster -> the highest timeline that this process saw of it."""


class TimelineMemory(Protocol):
    """What outlives a process, and all of them ask."""

    async def raise_to(self, cluster_id: int, timeline: int) -> int:
        """Note a timeline that was seen; return the highest that anybody saw."""


class NoPrimaryError(ConnectionError):
    """None of the servers can be written to now."""


class StalePrimaryError(NoPrimaryError):
    """The server was the primary once: another has taken its place."""


class Fence:
    """The fence of one event loop; what was seen is the process's."""

    def __init__(self) -> None:
        self.memory: TimelineMemory | None = None
        self._live: WeakSet[ServerConnection] = WeakSet()
        self._told: dict[int, int] = {}
        """Cluster -> what the memory of all processes said last."""

    def highest(self, cluster_id: int) -> int:
        """Return the highest timeline that was seen of a cluster; 0: none."""
        return _highest.get(cluster_id, 0)

    def is_stale(self, identity: ServerIdentity) -> bool:
        """Say whether a primary was replaced; one that does not say its timeline never is."""
        return 0 < identity.timeline < self.highest(identity.cluster_id)

    def saw(self, cluster_id: int, timeline: int) -> None:
        """Take note of a timeline; connections to a primary on a lower one end here."""
        before = self.highest(cluster_id)
        if timeline <= before:
            return
        _highest[cluster_id] = timeline
        ended = [one for one in list(self._live) if one.identity is not None and self.is_stale(one.identity)]
        for connection in ended:
            connection.terminate()
        if before:
            log.warning(
                "Postgres has a new primary", extra={"timeline": timeline, "former": before, "ended": len(ended)}
            )

    def join(self, connection: ServerConnection) -> None:
        """Keep a connection to a primary within the fence.

        Raises:
            StalePrimaryError: its server was replaced; the connection is ended.
        """
        assert connection.identity is not None
        self.saw(connection.identity.cluster_id, connection.identity.timeline)
        self.check(connection)
        self._live.add(connection)

    def check(self, connection: ServerConnection) -> None:
        """Let a connection pass to a primary that was not replaced.

        Raises:
            StalePrimaryError: it was; the connection is ended.
        """
        identity = connection.identity
        if identity is not None and self.is_stale(identity):
            connection.terminate()
            raise StalePrimaryError(self.words(connection.name, identity))

    def words(self, name: str, identity: ServerIdentity) -> str:
        """Say of a server that it was replaced."""
        highest = self.highest(identity.cluster_id)
        return f"{name} is a primary that was replaced: its timeline is {identity.timeline}, {highest} was seen"

    @property
    def has_connections(self) -> bool:
        """Whether anything is kept within it."""
        return any(not one.is_closed() for one in list(self._live))

    async def recall(self, cluster_id: int, *, again: bool = False) -> None:
        """Tell the memory of all processes what was seen here, and hear what others saw; once, unless `again`."""
        seen = self.highest(cluster_id)
        if self.memory is None or not cluster_id or (self._told.get(cluster_id) == seen and not again):
            return
        try:
            async with asyncio.timeout(RECALL_S):
                told = await self.memory.raise_to(cluster_id, seen)
        except REDIS_FAILED as error:  # what this process sees of the servers themselves is still there
            log.info("the timelines that others saw are not known", extra={"error": error})
            return
        self.saw(cluster_id, told)
        self._told[cluster_id] = told


def remember_in(memory: TimelineMemory | None) -> None:
    """Have the connections of the running event loop ask this memory from here on; None: none."""
    fence().memory = memory


_fences: WeakKeyDictionary[asyncio.AbstractEventLoop, Fence] = WeakKeyDictionary()


def fence() -> Fence:
    """Return the fence of the running event loop."""
    return _fences.setdefault(asyncio.get_running_loop(), Fence())
