"""A streaming replica of the embedded primary: copied by pg_basebackup, following it through a slot of its own.

Owns how a replica is made and when it must be made anew. Never decides when it runs; see `follower`.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from doorbuster.embedded.data.folder import DataFolder
from doorbuster.embedded.processes import Command, spawn
from doorbuster.embedded.stores.postgres import Postgres
from doorbuster.errors import StoreUnavailableError

_SETTINGS = {
    "wal_retrieve_retry_interval": "200ms",  # the default of 5 s is how long it would lag when the primary comes back
    "wal_receiver_status_interval": "1s",
}


def slot_of(folder: Path) -> str:
    """Return the name of a replica: of its slot, and of its session with the primary."""
    return f"doorbuster_{folder.name.replace('-', '_')}"


class Standby:
    """A replica of a primary of this machine, in a folder."""

    def __init__(self, primary: Postgres, folder: Path, log: Path, settings: Mapping[str, str] | None = None) -> None:
        self._primary, self._folder, self._log = primary, folder, log
        self.name = slot_of(folder)
        # Told at each start and not kept in the folder: another temporary folder is another socket.
        source = f"host={primary.sockets} user=postgres application_name={self.name}"
        follows = {"primary_conninfo": source, "primary_slot_name": self.name}
        self.server = Postgres(folder, log, _SETTINGS | follows | dict(settings or {}))

    def follows(self) -> bool:
        """Return whether there is a copy that can go on from where it is; what the primary cannot tell is hoped.

        Raises:
            StoreUnavailableError: there is no copy, and no primary to copy.
        """
        there = (self._folder / "standby.signal").exists()
        try:
            return self._primary.slot(self.name) not in (None, "lost") and there
        except StoreUnavailableError:
            if there:
                return True
            raise

    def was_promoted(self) -> bool:
        """Return whether it is no standby any more, but a primary itself."""
        return (self._folder / "PG_VERSION").exists() and not (self._folder / "standby.signal").exists()

    def copy(self, env: dict[str, str]) -> None:
        """Copy the primary; the replica must not be running. Takes as long as reading all of the primary does.

        Raises:
            StoreUnavailableError: it could not be copied; the log says why.
        """
        fresh = self._folder.with_name(f"{self._folder.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        self.server.admit()
        self.server.own(fresh)
        self._primary.drop_slot(self.name)
        command = Command(
            argv=[
                str(self.server.binaries / "pg_basebackup"), "-h", str(self._primary.sockets), "-U", "postgres",
                "-D", str(fresh), "-R", "-X", "stream", "-c", "fast", "-C", "-S", self.name,
            ],
            cwd=fresh, log=self._log, env=env, user=self.server.user,
        )  # fmt: skip
        if code := spawn(command).wait():
            raise StoreUnavailableError(f"pg_basebackup ended with code {code} (see {self._log})")
        shutil.rmtree(self._folder, ignore_errors=True)
        fresh.replace(self._folder)

    def forget(self) -> None:
        """Give back the log that the primary keeps for it, and remove the copy."""
        self._primary.drop_slot(self.name)
        shutil.rmtree(self._folder, ignore_errors=True)


def standbys(primary: Postgres, folder: DataFolder, count: int) -> list[Standby]:
    """Return the replicas of a data folder."""
    return [Standby(primary, folder.replica(n), folder.log(f"replica-{n}")) for n in range(1, count + 1)]


def no_longer_wanted(primary: Postgres, folder: DataFolder, count: int) -> list[Standby]:
    """Return the replicas of former runs that had more of them."""
    numbers = [path.name.removeprefix("replica-") for path in folder.root.glob("replica-*")]
    former = sorted(int(number) for number in numbers if number.isdecimal())
    return [Standby(primary, folder.replica(n), folder.log(f"replica-{n}")) for n in former if n > count]
