"""PostgreSQL as a pair: a primary and a standby that has every acknowledged commit, each a kept process.

Owns which of the two is the primary, in a file that is written before anything is done: the standby is promoted when
the primary has died, and only while it is known to have all that was acknowledged. The idea is Patroni's.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from doorbuster.embedded import leftovers
from doorbuster.embedded.data import trust
from doorbuster.embedded.data.folder import DataFolder, write_private
from doorbuster.embedded.processes import Command, Keeper, stop_all
from doorbuster.embedded.stores.postgres import DATABASE, PairStanding, Postgres
from doorbuster.embedded.stores.standby import slot_of
from doorbuster.embedded.topology.group import Pids
from doorbuster.errors import StoreUnavailableError

_log = logging.getLogger(__name__)
_LOOK_EVERY_S = 1.0
_PATIENCE_S = 3.0
"""How long commits wait for a standby that lives and does not follow."""
HANGS_S = 15.0
"""A primary that lets every look time out for so long is killed, so that its standby may take over."""


def pair(folder: DataFolder) -> tuple[Postgres, Postgres]:
    """Return the two servers of a data folder."""
    first, second = (Postgres(path, folder.log(path.name)) for path in (folder.postgres, folder.postgres_second))
    return first, second


def pair_url(servers: tuple[Postgres, Postgres]) -> str:
    """Return the URL of whichever of the two is the primary."""
    return f"postgresql://postgres@/{DATABASE}?host={','.join(str(one.sockets) for one in servers)}"


class PairGroup:
    """Two servers, of which one follows the other."""

    def __init__(
        self, folder: DataFolder, servers: tuple[Postgres, Postgres], env: Mapping[str, str], *, stop_s: float
    ) -> None:
        self.name = "postgres"
        self._folder, self._servers, self._env = folder, servers, dict(env)
        self._primary, self._in_sync = _kept(folder.postgres_pair)
        self._names = [slot_of(server.folder) for server in servers]
        self._waits_for = f"FIRST 1 ({', '.join(self._names)})"  # the same on both: whoever follows is waited for
        self._kept = [
            Keeper(server.folder.name, "postgres", self._make(number), server.stop_signal, stop_s)
            for number, server in enumerate(servers)
        ]
        self._looked = self._followed = self._answered = 0.0
        self._is_primary = False
        """Whether the primary said that it is one, since it was started."""

    def keepers(self) -> list[Keeper]:
        """Return the primary's process and what keeps the standby."""
        return [self._kept[self._primary], self._kept[1 - self._primary]]

    def start(self) -> None:
        """Start the primary; the standby is started once that serves."""
        if self._primary == 0:
            self._servers[0].prepare()
        self._servers[self._primary].admit()
        self._kept[self._primary].start()

    def is_ready(self) -> bool:
        """Return whether the primary serves, and no commit is acknowledged that the standby does not have."""
        if self._kept[self._primary].pid is None or not self._servers[self._primary].is_ready():
            return False
        self.look()
        if self._is_primary and not self._kept[1 - self._primary].started:
            self._kept[1 - self._primary].start()
        return self._in_sync and self._kept[1 - self._primary].started

    def look(self) -> None:
        """Promote the standby of a primary that died; have commits wait for a standby that follows."""
        primary, standby = self._kept[self._primary], self._kept[1 - self._primary]
        now = time.monotonic()
        if not primary.started:
            return
        if not primary.lives:
            if self._in_sync and standby.lives:
                self._change_over()
        elif now - self._looked > _LOOK_EVERY_S or (self._in_sync and not standby.lives):
            self._looked = now
            try:
                self._see_to(self._servers[self._primary].standing(self._names[1 - self._primary]), now)
                self._answered = now
            except StoreUnavailableError as error:
                _log.debug("the primary does not tell how it stands", extra={"error": error.detail})
                self._end_what_hangs(error, now)

    def pids(self) -> Pids:
        """Return the living servers, the primary first."""
        pids = [_server_of(keeper) for keeper in self.keepers()]
        return {self.name: [pid for pid in pids if pid is not None]}

    def stop(self) -> None:
        """End the standby, then the primary; remove the folders of their sockets."""
        stop_all([self._kept[1 - self._primary]])
        stop_all([self._kept[self._primary]])
        for server in self._servers:
            server.clear()

    def _see_to(self, standing: PairStanding, now: float) -> None:
        primary = self._servers[self._primary]
        self._is_primary = standing.is_primary
        if not standing.is_primary:  # a run that was killed had decided so
            primary.wait_for("")
            primary.promote()
        elif standing.streams:
            self._followed = now
            if not standing.waits_for:
                primary.wait_for(self._waits_for)
            elif standing.in_sync and not self._in_sync:
                self._note(in_sync=True)
        elif (
            not self._kept[1 - self._primary].lives
            or now - max(self._followed, self._kept[1 - self._primary].started_at) > _PATIENCE_S
        ):
            if self._in_sync:
                self._note(in_sync=False)
            if standing.waits_for:
                primary.wait_for("")

    def _end_what_hangs(self, error: StoreUnavailableError, now: float) -> None:
        """Kill a primary that has not even refused for a while, where another can take over from it."""
        if not isinstance(error.__cause__, TimeoutError):
            self._answered = now
        elif now - max(self._answered, self._kept[self._primary].started_at) > HANGS_S and self._in_sync:
            standby, primary = self._kept[1 - self._primary], self._kept[self._primary]
            if standby.lives and primary.process is not None:
                _log.warning("the primary hangs, killed", extra={"child": primary.name, "pid": primary.pid})
                primary.process.kill()

    def _change_over(self) -> None:
        """Make a primary of the standby. Decided in the file first: whatever dies now, the next run goes on from it."""
        former = self._servers[self._primary].folder.name
        self._primary = 1 - self._primary
        self._note(in_sync=False)
        _log.warning("the primary died, its standby is promoted", extra={"former": former})
        try:
            self._servers[self._primary].wait_for("")
            self._servers[self._primary].promote()
        except StoreUnavailableError as error:
            _log.warning("not promoted yet", extra={"error": error.detail})

    def _note(self, *, in_sync: bool) -> None:
        write_private(self._folder.postgres_pair, json.dumps({"primary": self._primary, "in_sync": in_sync}))
        self._in_sync = in_sync

    def _make(self, number: int) -> Callable[[], Command]:
        server = self._servers[number]

        def make() -> Command:
            if number == self._primary:
                return server.command(self._env)
            name, primary = server.folder.name, self._servers[1 - number].folder.name
            argv = [sys.executable, "-P", "-m", "doorbuster.embedded.stores.follower"]
            env = self._env | {leftovers.MARK: leftovers.mark(self._folder.root, name)}
            log = self._folder.log(name)
            return Command(argv=[*argv, str(self._folder.root), primary, name], cwd=self._folder.logs, log=log, env=env)

        return make


def _kept(record: Path) -> tuple[int, bool]:
    found = trust.read_object(record) if record.exists() else {}
    return (1 if found.get("primary") == 1 else 0), found.get("in_sync") is True


def _server_of(keeper: Keeper) -> int | None:
    """Return the server's process: the kept one, or the child of what keeps a standby."""
    if keeper.pid is None:
        return None
    try:
        kept = psutil.Process(keeper.pid)
        if kept.name() == "postgres":
            return keeper.pid
        return next((child.pid for child in kept.children() if child.name() == "postgres"), None)
    except psutil.NoSuchProcess:
        return None
