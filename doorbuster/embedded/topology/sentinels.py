"""The jobs store behind sentinels: a primary, a replica and three sentinels as kept processes.

Owns as what a server is started again: as replica of the other once the sentinels name that one. Who takes over is
decided by the sentinels alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from doorbuster.embedded.data import trust
from doorbuster.embedded.data.addresses import SERVICE
from doorbuster.embedded.data.folder import write_private
from doorbuster.embedded.processes import Command, Keeper, stop_all
from doorbuster.embedded.stores.sentinel import Sentinel
from doorbuster.embedded.stores.valkey import Valkey
from doorbuster.embedded.topology.cluster import TAKEOVER_S
from doorbuster.embedded.topology.group import Pids
from doorbuster.ports import LOOPBACK

_LOOK_EVERY_S = 2.0


class SentinelGroup:
    """Two servers and their sentinels. Which server is the primary is kept in a file, for the next run."""

    def __init__(
        self, servers: Sequence[Valkey], sentinels: Sequence[Sentinel], record: Path, env: Mapping[str, str], *,
        stop_s: float,
    ) -> None:  # fmt: skip
        self.name = SERVICE
        self._all, self._sentinels, self._record = list(servers), list(sentinels), record
        self._primary = _kept(record)
        self._died: dict[str, float] = {}
        self._looked = 0.0
        self._servers = [
            Keeper(
                f"{SERVICE}-{number + 1}", SERVICE, self._as_it_is(number, dict(env)), server.stop_signal, stop_s,
                may_restart=self._may_restart(number),
            )
            for number, server in enumerate(servers)
        ]  # fmt: skip
        self._watchers = [
            Keeper(f"sentinel-{number}", "sentinel", _command_of(one, dict(env)), one.stop_signal, stop_s)
            for number, one in enumerate(sentinels, 1)
        ]

    def keepers(self) -> list[Keeper]:
        """Return its processes."""
        return [*self._servers, *self._watchers]

    def start(self) -> None:
        """Start the servers; a sentinel looks for replicas when it is started, and then seldom: it comes after them."""
        for keeper in self._servers:
            keeper.start()

    def is_ready(self) -> bool:
        """Return whether the primary serves, its replica follows, and every sentinel knows of all."""
        if not all(server.is_ready() for server in self._all) or not self._all[1 - self._primary].follows():
            return False
        for sentinel, keeper in zip(self._sentinels, self._watchers, strict=True):
            if not keeper.started:
                sentinel.prepare(self._all[self._primary].port)
                keeper.start()
        return all(one.knows(replicas=1, sentinels=len(self._sentinels) - 1) for one in self._sentinels)

    def look(self) -> None:
        """Ask who is primary; at once while a server is away, else now and then."""
        now = time.monotonic()
        away = {keeper.name for keeper in self._servers if keeper.started and not keeper.lives}
        self._died = {name: self._died.get(name, now) for name in away}
        if away or now - self._looked > _LOOK_EVERY_S:
            self._looked = now
            self._note_primary()

    def pids(self) -> Pids:
        """Return the primary's process, the replica's and the sentinels'."""
        replica, watchers = self._servers[1 - self._primary].pid, [one.pid for one in self._watchers if one.pid]
        return {
            SERVICE: self._servers[self._primary].pid,
            "jobs_replica": [replica] if replica else [],
            "sentinel": watchers,
        }

    def stop(self) -> None:
        """End the sentinels first, which would take the end of a server for its death."""
        stop_all(self._watchers)
        stop_all(self._servers)

    def _note_primary(self) -> None:
        ports = [server.port for server in self._all]
        living = [one for one, keeper in zip(self._sentinels, self._watchers, strict=True) if keeper.lives]
        told = next((port for one in living if (port := one.primary_port()) is not None), None)
        if told in ports and (number := ports.index(told)) != self._primary:
            write_private(self._record, f'{{"primary": {number}}}')
            self._primary = number

    def _as_it_is(self, number: int, env: dict[str, str]) -> Callable[[], Command]:
        server = self._all[number]

        def make() -> Command:
            other = self._all[1 - number]
            server.prepare({} if number == self._primary else {"replicaof": f"{LOOPBACK} {other.port}"})
            return server.command(env)

        return make

    def _may_restart(self, number: int) -> Callable[[], bool]:
        """Return what says whether nobody is to take over from a server any more."""

        def may() -> bool:
            died = self._died.get(self._servers[number].name, 0.0)
            waited = time.monotonic() - died > TAKEOVER_S
            return waited or number != self._primary or not self._servers[1 - number].lives

        return may


def _kept(record: Path) -> int:
    found = trust.read_object(record).get("primary") if record.exists() else 0
    return found if found in (0, 1) else 0


def _command_of(sentinel: Sentinel, env: dict[str, str]) -> Callable[[], Command]:
    return lambda: sentinel.command(env)
