"""A connection that knows which server it leads to, and what its session needs behind a pooler.

Owns what precedes a statement: whether the server may still be written to, and, where another session may be behind
each transaction, the settings, which then hold for that transaction. Never chooses a server.
"""

from __future__ import annotations

import re
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import asyncpg

from db.query_files import load
from doorbuster.failures import FUNCTION_REFUSED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

T = TypeVar("T")

_SQL = load("servers")
_STANDS_ALONE = re.compile(r"(?:\s|--[^\n]*\n)*(?:vacuum|(?:create|drop) index concurrently)\b", re.IGNORECASE)
"""What runs in no transaction."""
SLOW_S = 1.0
"""A server that was silent for so long may have been replaced meanwhile: its answer is believed when all were asked."""


class ServerIdentity(NamedTuple):
    """What a server says of itself."""

    is_standby: bool
    timeline: int
    """Of a primary; 0: a standby, or a server that does not say."""
    cluster_id: int
    """The same for a primary and its copies; 0: it does not say."""
    started: datetime
    process_id: int

    @property
    def is_primary(self) -> bool:
        """Whether it may be written to, by what it says."""
        return not self.is_standby


class WriteFence(Protocol):
    """What says whether a server may be written to."""

    def doubts(self, connection: ServerConnection) -> bool:
        """Say whether it does not know how the servers are now, or this one was silent when it was asked last."""

    async def find_out(self) -> None:
        """Ask all of them, after whatever was asked before."""

    def admit(self, connection: ServerConnection) -> None:
        """Raise, and end the connection, if its server is the primary no more."""


class ServerConnection(asyncpg.Connection):
    """A connection to a server that is known."""

    name = ""
    """Of the server, for people."""
    identity: ServerIdentity | None = None
    admission: WriteFence | None = None
    """None: it need not be the primary."""
    _begin = ""
    """What each transaction begins with, behind a pooler."""

    @property
    def is_pooled(self) -> bool:
        """Whether each transaction may have another session."""
        return bool(self._begin)

    def set_for_each_transaction(self, settings: Mapping[str, str]) -> None:
        """Have these settings, too, in each transaction, since the session is not this connection's alone."""
        self._begin += "".join(f"set local {name} = '{value}';" for name, value in settings.items())

    def get_reset_query(self) -> str:
        """Return what leaves the session as it was; nothing was left in one that is not ours."""
        return "" if self.is_pooled else super().get_reset_query()

    async def execute(self, query: str, *args: Any, **more: Any) -> str:
        """Execute a statement, or a script."""
        if args:
            done: str = await self._run(super().execute, query, *args, **more)
            return done
        if not self._has_begun:
            await self._admitted()
            query = self._with_settings(query)
        return await self._believed(super().execute, query, **more)

    async def fetch(self, *args: Any, **more: Any) -> Any:
        """Return rows."""
        return await self._run(super().fetch, *args, **more)

    async def fetchval(self, *args: Any, **more: Any) -> Any:
        """Return a value."""
        return await self._run(super().fetchval, *args, **more)

    async def fetchrow(self, *args: Any, **more: Any) -> Any:
        """Return a row."""
        return await self._run(super().fetchrow, *args, **more)

    async def executemany(self, *args: Any, **more: Any) -> None:
        """Execute a statement with each of several rows."""
        await self._run(super().executemany, *args, **more)

    async def _run(self, statement: Callable[..., Awaitable[Any]], *args: Any, **more: Any) -> Any:
        """Run a statement; one outside of a transaction gets one where it needs it for its settings."""
        if not self._has_begun:
            if self._begin:
                async with self.transaction():
                    return await self._believed(statement, *args, **more)
            await self._admitted()
        return await self._believed(statement, *args, **more)

    @property
    def _has_begun(self) -> bool:
        """Whether a transaction is under way. A connection that the fence ended is not asked: its driver says so."""
        return self.is_closed() or self.is_in_transaction()

    async def _admitted(self) -> None:
        if self.admission is not None:
            if self.admission.doubts(self):
                await self.admission.find_out()
            self.admission.admit(self)

    async def _believed(self, statement: Callable[..., Awaitable[T]], *args: Any, **more: Any) -> T:
        """Run a statement and return what it said; of one that came late only if its server was not replaced meanwhile.

        Who hung answers what it was sent before, a commit too, as soon as it goes on.
        """
        began = time.monotonic()
        said = await statement(*args, **more)
        if self.admission is not None and time.monotonic() - began > SLOW_S:
            await self.admission.find_out()
            self.admission.admit(self)
        return said

    def _with_settings(self, script: str) -> str:
        """Return a script with what precedes it behind a pooler: it is one transaction there, unless it begins one."""
        if not self.is_pooled or _STANDS_ALONE.match(script):
            return script
        return f"{script}{self._begin}" if script.startswith("BEGIN") else f"{self._begin}{script}"


async def identify(connection: ServerConnection) -> ServerIdentity:
    """Ask a server which one it is."""
    try:
        row = await connection.fetchrow(_SQL["identify"])
    except FUNCTION_REFUSED:
        row = await connection.fetchrow(_SQL["identify_roughly"])
    assert row is not None
    return ServerIdentity(*row.values())


def is_pooled(connection: object) -> bool:
    """Say whether each transaction of a connection may have another session."""
    return bool(getattr(connection, "is_pooled", False))


async def set_from_here_on(connection: ServerConnection, settings: Mapping[str, str]) -> None:
    """Have settings of the connection's own, until it is closed."""
    if connection.is_pooled:
        connection.set_for_each_transaction(settings)
        return
    for name, value in settings.items():
        await connection.execute(f"set {name} = '{value}'")
