"""The data folder of an embedded instance: its layout, its lock, its secrets and its ports.

Never starts a process and never talks to a store.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Literal, TypeAlias, get_args

from doorbuster.embedded.data import trust
from doorbuster.embedded.users import system_user
from doorbuster.errors import ConflictError, InvalidError
from doorbuster.ports import reserve

REDIS_ROLES = ("orders", "room", "jobs", "cache")
DEFAULT = Path(".doorbuster")
Topology: TypeAlias = Literal["single", "cluster"]


class DataFolder:
    """Where an embedded instance keeps everything: stores, logs, secrets, the ready document."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.postgres = self.root / "postgres"
        self.postgres_second = self.root / "postgres-2"
        """The other server of a pair: which of them is the primary says `postgres_pair`."""
        self.postgres_pair = self.root / "postgres-pair.json"
        self.logs = self.root / "logs"
        self.ready = self.root / "ready.json"
        self.secrets_file = self.root / "secrets.json"
        self.room_keys_file = self.root / "room_keys"
        """The room's keys alone, for intakes that are not the owner of the secrets."""
        self._lock: IO[str] | None = None

    def redis(self, role: str) -> Path:
        """Return the folder of a Redis role's server."""
        return self.root / "redis" / role

    def replica(self, number: int) -> Path:
        """Return the folder of a replica of PostgreSQL."""
        return self.root / f"replica-{number}"

    def log(self, name: str) -> Path:
        """Return the log file of a process."""
        return self.logs / f"{name}.log"

    def fresh(self, kind: str, name: str) -> Path:
        """Return an empty folder for what lives no longer than this run."""
        path = self.root / kind / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(mode=0o700, parents=True)
        return path

    def open(self) -> None:
        """Make the folder if need be and take its lock; it is held until `close` or the end of the process.

        Raises:
            InvalidError: the folder cannot be made or written, or others own it or may write it.
            ConflictError: another run holds the lock.
        """
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            trust.judge_folder(self.root)
            for inner in (self.logs, self.root / "redis"):
                inner.mkdir(mode=0o700, exist_ok=True)
                trust.judge_folder(inner)
            lock = (self.root / "lock").open("a+")
        except OSError as error:
            raise InvalidError(f"cannot use the data folder {self.root}: {error.strerror}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise ConflictError(f"the data folder {self.root} is in use by another run") from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock

    def close(self) -> None:
        """Give the lock back."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def secrets(self) -> dict[str, str]:
        """Return the instance's secrets, made at first use and kept for good.

        Raises:
            InvalidError: others own their file or may write it, or it is no JSON object.
        """
        path = self.secrets_file
        kept: dict[str, str] = trust.read_object(path) if path.exists() else {}
        made = {name: secrets.token_urlsafe(32) for name in ("ops_key", "order_id_key", "redis_password")}
        made["room_keys"] = f"k{int(time.time()):08x}:{secrets.token_urlsafe(32)}"
        if made.keys() - kept.keys():
            kept = made | kept
            write_private(path, json.dumps(kept, indent=1))
        return kept

    def keep_secret(self, name: str, value: str) -> None:
        """Write one of the secrets anew, in one step; who watches the file sees the old ones or the new."""
        write_private(self.secrets_file, json.dumps(self.secrets() | {name: value}, indent=1))
        if name == "room_keys" and self.room_keys_file.exists():
            write_private(self.room_keys_file, value, group=self.room_keys_file.stat().st_gid)

    def share(self, group: int | None) -> None:
        """Let a group pass through the folder and read the room's keys in it; with None, nobody."""
        self.room_keys_file.unlink(missing_ok=True)
        if group is not None:
            system_user.let_pass(self.root)
            (self.root / "metrics").mkdir(exist_ok=True)
            system_user.let_pass(self.root / "metrics")
            write_private(self.room_keys_file, self.secrets()["room_keys"], group=group)

    def topology(self, asked: Topology | None) -> Topology:
        """Return the topology that the stores of the folder have, or for a new folder the one asked for.

        Raises:
            InvalidError: another is asked for than the folder has.
        """
        path = self.root / "topology.json"
        if path.exists():
            had = trust.read_object(path).get("topology")
            if had not in get_args(Topology):
                raise InvalidError(f"{path} names no topology")
        else:
            had = "single" if self.secrets_file.exists() else None
        if None not in (had, asked) and had != asked:
            raise InvalidError(
                f"the data folder {self.root} has the topology {had}: its stores cannot become {asked}; "
                f"leave --topology out, or name another folder by --data"
            )
        return had or asked or "single"

    def keep_topology(self, topology: Topology) -> None:
        """Write down what the stores of the folder are, for good; a folder without such a word has single servers."""
        if topology != "single":
            write_private(self.root / "topology.json", json.dumps({"topology": topology}))

    def ports(self, names: Iterable[str] = REDIS_ROLES) -> dict[str, int]:
        """Return a loopback port for every name: the former one where it is still free."""
        path = self.root / "ports.json"
        former: dict[str, int] = trust.read_object(path) if path.exists() else {}
        ports = {name: _reserved(former.get(name, 0)) for name in names}
        if ports != former:
            write_private(path, json.dumps(ports))
        return ports


def _reserved(wanted: int) -> int:
    try:
        return reserve(port=wanted)
    except OSError:
        return reserve()


def write_private(path: Path, text: str, *, group: int | None = None) -> None:
    """Replace a file in one step, readable by its owner alone, or a group too, and durable before it is seen."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        if group is not None:
            os.fchown(file.fileno(), -1, group)
            os.fchmod(file.fileno(), 0o640)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
