"""Which of several Postgres servers is the primary: all are asked at once, again and again, each with its own time-out.

A server that hangs holds up nobody: the others' answers count as they come. Owns the watch over the servers and the
choice; a primary that was replaced (`fence.py`) is never chosen, and where two are primaries on one timeline none is.
"""

from __future__ import annotations

import asyncio
import logging
import time
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import asyncpg

from db.connections.fence import Fence, NoPrimaryError, StalePrimaryError, fence
from db.connections.server_connection import ServerConnection, ServerIdentity, identify
from doorbuster.failures import POSTGRES_FAILED
from doorbuster.log import shared_context
from doorbuster.values.postgres_url import ServerUrl, split_servers

LOOK_S = 1.0
"""How long one of several servers may take to say which it is."""
ALONE_S = 4.0
"""How long a server may that is the only one."""
WATCH_S = 0.5
LATE_S = 3.0
"""Of servers that were asked longer ago nothing is known: this process was stopped."""
RECALL_EVERY_S = 1.0
UNUSED_S = 30.0
"""The watch ends when nobody has asked for so long and there are no connections."""
APPLICATION = "doorbuster-watch"

log = logging.getLogger("doorbuster.postgres")


class Host:
    """One server, and what it said last."""

    def __init__(self, server: ServerUrl, timeout_s: float, *, stays_open: bool) -> None:
        self.url, self.name = server
        self._timeout_s, self._stays_open = timeout_s, stays_open
        self.identity: ServerIdentity | None = None
        self.failure: Exception | None = None
        """Why it did not answer when it was asked last."""
        self.is_pooled = False
        self._is_direct = False
        """Whether it was found to be no pooler, so that the connection may prepare its question."""
        self.asked_at = float("-inf")
        self._connection: ServerConnection | None = None
        self._asking: asyncio.Task[None] | None = None

    async def ask(self, *, anew: bool = False) -> None:
        """Ask it which server it is, or wait for the question under way; with `anew` ask after that."""
        if anew and self._asking is not None:
            await asyncio.shield(self._asking)
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        await asyncio.shield(self._asking)

    async def _ask(self) -> None:
        began, answered = time.monotonic(), False
        try:
            async with asyncio.timeout(self._timeout_s):
                connection = await self._connected()
                self.identity = await identify(connection)
            self.is_pooled = self.identity.process_id != connection.get_server_pid()
            self.failure = None
            answered, self._is_direct = self._is_direct or self.is_pooled, not self.is_pooled
        except POSTGRES_FAILED as error:
            self.identity, self.failure = None, error
        finally:
            self.asked_at = began
            if not (answered and (self._stays_open or self.is_pooled)):
                self.drop()

    async def _connected(self) -> ServerConnection:
        if self._connection is None or self._connection.is_closed():
            # Without settings, and at first without prepared statements: it may be a pooler, which has neither.
            self._connection = await asyncpg.connect(
                self.url, timeout=self._timeout_s, command_timeout=self._timeout_s,
                statement_cache_size=1 if self._is_direct else 0,
                connection_class=ServerConnection, server_settings={"application_name": APPLICATION},
            )  # fmt: skip
        return self._connection

    def drop(self) -> None:
        """Give up the connection by which it is asked."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    def shown(self, stands: Fence) -> dict[str, Any]:
        """Return what it said last, for people."""
        if self.identity is None:
            return {"server": self.name, "role": "away", "reason": type(self.failure).__name__}
        if self.identity.is_standby:
            return {"server": self.name, "role": "standby"}
        role = "replaced" if stands.is_stale(self.identity) else "primary"
        return {"server": self.name, "role": role, "timeline": self.identity.timeline}


class Servers:
    """The servers of one URL."""

    def __init__(self, url: str) -> None:
        named = split_servers(url)
        alone = len(named) == 1
        self.hosts = [Host(one, ALONE_S if alone else LOOK_S, stays_open=not alone) for one in named]
        self.fence = fence()
        self._looking: asyncio.Task[None] | None = None
        self._watching: dict[str, asyncio.Task[None]] = {}
        self._wanted_at = 0.0
        self._has_chosen = False
        """Whether a primary was ever found."""
        self._said: dict[str, str] = {}

    @property
    def are_several(self) -> bool:
        """Whether there is a choice."""
        return len(self.hosts) > 1

    async def any(self) -> Host:
        """Return a server to read from: the first that answers.

        Raises:
            One of POSTGRES_FAILED: none does.
        """
        await self._known()
        for host in self.hosts:
            if host.identity is not None:
                return host
        raise self._failure("no server answers")

    async def primary(self) -> Host:
        """Return the server that is to be written to.

        Raises:
            NoPrimaryError: none of several is, now.
            One of POSTGRES_FAILED: the only one does not answer.
        """
        await self._known()
        if not self._is_watched:
            if self.hosts[0].identity is None:
                raise self._failure("the server does not answer")
            return self.hosts[0]
        try:
            chosen = self._choose()
        except NoPrimaryError:
            if self._has_chosen:
                raise
            await self.look(anew=True)  # a process that begins has asked once: the primary may have been slow
            chosen = self._choose()
        self._has_chosen = True
        return chosen

    async def _known(self) -> None:
        """Have asked each server, lately."""
        self._wanted_at = time.monotonic()
        if not self._is_watched and self.hosts[0].identity is None:
            await self.hosts[0].ask()
        if not self._is_watched:
            return
        self._keep_watching()
        if self.is_late:
            await self.look()

    def _keep_watching(self) -> None:
        runs = {host.url: partial(self._watch, host) for host in self.hosts} | {"memory": self._recall_on}
        for name, run in runs.items():
            task = self._watching.get(name)
            if task is None or task.done():
                self._watching[name] = asyncio.create_task(run(), context=shared_context())

    @property
    def _is_watched(self) -> bool:
        """Whether the primary may become another: one of several, or whichever a pooler leads to."""
        return self.are_several or self.hosts[0].is_pooled

    @property
    def is_late(self) -> bool:
        """Whether some server that must be watched was asked too long ago."""
        if not self._is_watched:
            return False
        too_long_ago = time.monotonic() - LATE_S
        return any(host.asked_at < too_long_ago for host in self.hosts)

    def doubts(self, connection: ServerConnection) -> bool:
        """Say whether a server must be asked before a connection is used; see `server_connection.WriteFence`."""
        if not self._is_watched:
            return False
        return self.is_late or any(host.identity is None and host.name == connection.name for host in self.hosts)

    async def find_out(self) -> None:
        """Ask all of them, twice: what one says that hung counts only with what the others say after it."""
        if self._is_watched:
            await self.look()
            await self.look(anew=True)

    async def look(self, *, anew: bool = False) -> None:
        """Ask all of them, or wait for the look under way; with `anew` look after that."""
        if anew and self._looking is not None:
            await asyncio.shield(self._looking)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(anew=anew))
        await asyncio.shield(self._looking)

    async def _look(self, *, anew: bool) -> None:
        await asyncio.gather(*(self._ask(host, anew=anew) for host in self.hosts))
        await self._recall(again=anew)

    async def _ask(self, host: Host, *, anew: bool = False) -> None:
        await host.ask(anew=anew)
        identity = host.identity
        if identity is not None and identity.is_primary:
            self.fence.saw(identity.cluster_id, identity.timeline)
        self._tell(host)

    def _tell(self, host: Host) -> None:
        """Log what has changed of a server."""
        shown = host.shown(self.fence)
        words = f"{shown['role']} {shown.get('timeline', '')}".strip()
        if self._said.get(host.name, words) != words:
            warns = shown["role"] == "replaced"
            log.log(logging.WARNING if warns else logging.INFO, "a Postgres server has another role", extra=shown)
        self._said[host.name] = words

    async def _recall(self, *, again: bool) -> None:
        for cluster_id in {host.identity.cluster_id for host in self.hosts if host.identity is not None}:
            await self.fence.recall(cluster_id, again=again)

    @property
    def _is_wanted(self) -> bool:
        return time.monotonic() - self._wanted_at < UNUSED_S or self.fence.has_connections

    async def _watch(self, host: Host) -> None:
        try:
            while self._is_wanted:
                await self._ask(host)
                await asyncio.sleep(WATCH_S)
        finally:
            host.drop()

    async def _recall_on(self) -> None:
        while self._is_wanted:
            await asyncio.sleep(RECALL_EVERY_S)
            await self._recall(again=True)

    def _choose(self) -> Host:
        answers = [(host, host.identity) for host in self.hosts if host.identity is not None]
        primaries = [(host, one) for host, one in answers if one.is_primary]
        if len({one.cluster_id for _, one in primaries}) > 1:
            raise self._failure("the servers are primaries of different clusters")
        good = [(host, one) for host, one in primaries if not self.fence.is_stale(one)]
        best = max((one.timeline for _, one in good), default=0)
        top = [(host, one) for host, one in good if one.timeline == best]
        if len({one.started for _, one in top}) > 1:
            raise self._failure("two servers are primaries on one timeline; stop one of them")
        if not top:
            raise self._failure("no server is the primary")
        return top[0][0]

    def _failure(self, words: str) -> Exception:
        """Return the error that tells of each server; the driver's own where there is but one."""
        failures = [host.failure for host in self.hosts if host.failure is not None]
        if not self.are_several and failures:
            return failures[0]
        told = "; ".join(self._words(host) for host in self.hosts)
        return NoPrimaryError(f"{words}: {told}")

    def _words(self, host: Host) -> str:
        if host.identity is None:
            return f"{host.name} does not answer ({type(host.failure).__name__})"
        if host.identity.is_standby:
            return f"{host.name} is a standby"
        if self.fence.is_stale(host.identity):
            return self.fence.words(host.name, host.identity)
        return f"{host.name} is a primary on timeline {host.identity.timeline}"

    def admit(self, connection: ServerConnection) -> None:
        """Let a connection write only while its server is the primary; see `server_connection.Admission`.

        Raises:
            StalePrimaryError: it is not.
        """
        self.fence.check(connection)
        if connection.is_pooled:
            self._check_pooler(connection)

    def _check_pooler(self, connection: ServerConnection) -> None:
        """Let a connection pass while the pooler leads to a primary; it may lead to another server by now."""
        for host in self.hosts:
            identity = host.identity
            if host.name == connection.name and identity is not None and self.fence.is_stale(identity):
                connection.terminate()
                raise StalePrimaryError(self.fence.words(host.name, identity))

    def shown(self) -> list[dict[str, Any]]:
        """Return what each server said last, for people."""
        return [host.shown(self.fence) for host in self.hosts]


_servers: WeakKeyDictionary[Fence, dict[str, Servers]] = WeakKeyDictionary()


def servers(url: str) -> Servers:
    """Return the servers of a URL, as the running event loop knows them."""
    known = _servers.setdefault(fence(), {})
    if url not in known:
        known[url] = Servers(url)
    return known[url]
