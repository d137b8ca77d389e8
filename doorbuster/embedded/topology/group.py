"""A group: the processes that make one store. Owns what the supervisor may ask of one, and the group of one server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from doorbuster.embedded.processes import Keeper, stop_all

Pids: TypeAlias = dict[str, list[int] | int | None]


class StoreGroup(Protocol):
    """The processes of one store."""

    name: str

    def keepers(self) -> list[Keeper]:
        """Return its processes."""

    def start(self) -> None:
        """Start what can be started at once."""

    def is_ready(self) -> bool:
        """Go a step towards a whole store; return whether it is whole and serves."""

    def look(self) -> None:
        """See how its processes stand, before any that ended is started again, and do what must be done before."""

    def pids(self) -> Pids:
        """Return its living processes as the ready document tells of them."""

    def stop(self) -> None:
        """End it."""


class Single:
    """A store of one server."""

    def __init__(self, keeper: Keeper, is_ready: Callable[[], bool]) -> None:
        self.name = keeper.role
        self._keeper, self._is_ready = keeper, is_ready

    def keepers(self) -> list[Keeper]:
        """Return its one process."""
        return [self._keeper]

    def start(self) -> None:
        """Start it."""
        self._keeper.start()

    def is_ready(self) -> bool:
        """Return whether it serves."""
        return self._keeper.pid is not None and self._is_ready()

    def look(self) -> None:
        """Do nothing: it is started again whenever it ended."""

    def pids(self) -> Pids:
        """Return its process."""
        return {self.name: self._keeper.pid}

    def stop(self) -> None:
        """End it."""
        stop_all([self._keeper])
