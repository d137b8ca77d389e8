"""How many intake processes and workers of a machine run, while they run. Owns their coming and going, each gracefully.

What is wanted is told by a file; without a wish, what the run was started with. Never below that.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from doorbuster.embedded.data import wanted_scale
from doorbuster.embedded.processes import Command, Keeper, stop_all
from doorbuster.embedded.users.unprivileged import Account

_log = logging.getLogger(__name__)
APART_S = 0.3
"""Between two signals to the intake's master: two of a kind that wait are one."""
SETTLED_S = 20.0
"""After this long without a change the processes of the intake are counted: a signal may have been lost."""


def make_folder(root: Path, account: Account | None) -> Path:
    """Make the folder of the wish anew, in which whoever runs the scheduler may write; return it."""
    folder = root / "scaling"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    inner = wanted_scale.wanted_folder(folder)
    inner.mkdir(mode=0o700)
    if account is not None:
        os.chown(inner, account.uid, account.gid)
    return folder


class FleetScale:
    """Brings one machine's processes to what is wanted."""

    def __init__(
        self, folder: Path, intake: Keeper, workers: list[Keeper], *, more: Callable[[int], Keeper],
        count: Callable[[int], int], processes: int,
    ) -> None:  # fmt: skip
        """Take the intake's keeper and its first number of processes, the list of workers, and what makes one more.

        `count` says how many processes a master has now.
        """
        self._folder, self._intake, self._workers = folder, intake, workers
        self._more, self._count = more, count
        self._make = intake.make
        self._base = {"intake": processes, "workers": len(self._named_workers())}
        self._pid: int | None = None
        self._processes = self._target = processes
        self._changed = 0.0
        self._leaving: list[tuple[Keeper, float]] = []
        self._told: dict[str, int] = {}

    def tend(self) -> None:
        """Go one step towards what is wanted, and say what runs."""
        wanted = wanted_scale.read_wanted(self._folder)
        self._tend_workers(max(self._base["workers"], wanted.get("workers", 0)))
        self._tend_intake(max(self._base["intake"], wanted.get("intake", 0)))
        self._see_off()
        self._say()

    def stop(self) -> None:
        """End those that are leaving."""
        stop_all([keeper for keeper, _ in self._leaving])
        self._leaving.clear()

    def _named_workers(self) -> list[Keeper]:
        return [keeper for keeper in self._workers if keeper.role == "worker"]

    def _tend_workers(self, wanted: int) -> None:
        present = self._named_workers()
        for number in range(len(present) + 1, wanted + 1):
            keeper = self._more(number)
            keeper.start()
            self._workers.insert(number - 1, keeper)
        for keeper in reversed(present[wanted:]):
            self._workers.remove(keeper)
            if keeper.process is not None:
                _log.info("leaves", extra={"child": keeper.name, "pid": keeper.pid})
                keeper.process.send_signal(keeper.stop_signal)
                self._leaving.append((keeper, time.monotonic()))

    def _tend_intake(self, wanted: int) -> None:
        """Have the master take one more or one less: it ends a process after its requests."""
        keeper, now = self._intake, time.monotonic()
        if keeper.pid is not None and keeper.pid != self._pid:  # it was started with the last target
            self._pid, self._processes, self._changed = keeper.pid, self._target, now
        if wanted != self._target:
            self._target, make = wanted, self._make
            keeper.make = lambda: _with_processes(make(), wanted)  # for a master that is started anew
        if keeper.pid is None:
            return
        children = self._count(keeper.pid)
        if self._processes == self._target and now - self._changed > SETTLED_S and children:
            self._processes = children
        if self._processes == self._target or now - self._changed < APART_S or not children:
            return  # without a child it may not listen to signals yet
        more = self._processes < self._target
        os.kill(keeper.pid, signal.SIGTTIN if more else signal.SIGTTOU)
        self._processes += 1 if more else -1
        self._changed = now
        _log.info("intake changes", extra={"pid": keeper.pid, "processes": self._processes})

    def _see_off(self) -> None:
        """Forget who has left, and end who takes too long."""
        still = []
        for keeper, since in self._leaving:
            process = keeper.process
            if process is None or process.poll() is not None:
                continue
            if time.monotonic() - since > keeper.stop_timeout_s:
                _log.warning("did not leave in time, killed", extra={"child": keeper.name, "pid": keeper.pid})
                process.kill()
            still.append((keeper, since))
        self._leaving = still

    def _say(self) -> None:
        running = {"intake": self._processes, "workers": len(self._named_workers())}
        if running == self._told:
            return
        try:
            wanted_scale.write_running(self._folder, running)
        except OSError as error:
            _log.warning("cannot say what runs", extra={"error": str(error)})
        else:
            self._told = running


def _with_processes(command: Command, processes: int) -> Command:
    return replace(command, env=command.env | {"INTAKE_PROCESSES": str(processes)})
