"""Keeps one replica: `python -m doorbuster.embedded.stores.follower DATA PRIMARY REPLICA`. The supervisor keeps it up.

A process of its own, because copying the primary takes its time and must hold up nothing else. It ends whenever the
replica does, or has fallen too far behind to catch up: started again, it copies anew where it must. One that is
promoted is kept as it is, for as long as it runs.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

from doorbuster import log
from doorbuster.embedded.data.folder import DataFolder
from doorbuster.embedded.processes import spawn
from doorbuster.embedded.stores.postgres import Postgres
from doorbuster.embedded.stores.standby import Standby
from doorbuster.embedded.wake import Wake
from doorbuster.errors import StoreUnavailableError

_LOOK_S = 2.0
_STOP_S = 30.0


class Follower:
    """One run of a replica."""

    def __init__(self, standby: Standby) -> None:
        self._standby = standby
        self._wake, self._stopping, self._runs = Wake(), False, False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: self._wake.set())

    def run(self) -> int:
        """Run the replica until a stop is asked for; return the exit code.

        Raises:
            StoreUnavailableError: it cannot be made.
        """
        env = dict(os.environ)
        if not self._standby.follows():
            self._standby.copy(env)  # also what was a primary itself until now
        self._standby.server.admit()
        self._runs, process = True, spawn(self._standby.server.command(env))
        try:
            while (
                not self._stopping
                and process.poll() is None
                and (self._standby.was_promoted() or self._standby.follows())
            ):
                self._wake.wait(_LOOK_S)
        finally:
            self._end(process)
        return 0 if self._stopping else 1

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True
        self._wake.set()
        if not self._runs:
            raise SystemExit(0)  # a copy is given up, and ends with this process

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            process.send_signal(self._standby.server.stop_signal)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main() -> int:
    """Keep the replica that the command line names."""
    log.configure(os.environ.get("LOG_LEVEL") or "info")
    folder, (primary_name, name) = DataFolder(Path(sys.argv[1])), sys.argv[2:4]
    primary = Postgres(folder.root / primary_name, folder.log(primary_name))
    standby = Standby(primary, folder.root / name, folder.log(name))
    try:
        return Follower(standby).run()
    except StoreUnavailableError as error:
        sys.stderr.write(f"the replica cannot be made: {error.detail}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
