"""Child processes: how one is spawned so that it dies with its parent, and how it is kept up.

Never decides what runs; see `supervisor`.
"""

from __future__ import annotations

import ctypes
import logging
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from doorbuster.embedded.users.unprivileged import Account

_log = logging.getLogger(__name__)
_PR_SET_PDEATHSIG = 1
LOG_MAX_BYTES = 32 * 2**20
"""Of a log file; as much again of what was in it before is kept beside it."""
BACKOFF_MIN_S, BACKOFF_MAX_S, SETTLED_S = 0.1, 5.0, 10.0
ASK_AGAIN_S = 0.1
"""When one that may not be started yet is asked for again."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """What to run and how."""

    argv: list[str]
    cwd: Path
    log: Path
    env: dict[str, str]
    reads: Path | None = None
    """File that it gets as its input, opened by who starts it: it may lie where the user it runs as cannot pass."""
    user: str | None = None
    """System user to run as; None is the present one."""
    account: Account | None = None
    """Or who to become, with a view of the file system; the working folder is then the root folder, open to all."""
    low_ports: bool = False
    """Whether it may listen on ports that only root may."""
    death_signal: signal.Signals = signal.SIGKILL
    """What the kernel sends it when its parent dies (Linux)."""
    umask: int = -1
    """What others may not do with the files it makes; -1: as this process."""


def spawn(command: Command) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own (Ctrl-C reaches the parent alone), its output appended to its log."""
    rotate(command.log)
    with command.log.open("ab") as log, (command.reads or Path(os.devnull)).open("rb") as reads:
        return subprocess.Popen(
            command.argv,
            cwd=command.cwd,
            env=command.env,
            stdin=reads,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_before_exec(command),
            user=command.user,
            group=command.user,
            extra_groups=None if command.user is None else [],
            umask=command.umask,
        )


def rotate(log: Path) -> bool:
    """Move what is in a log file beside it once it is too much, also while a process writes; return whether it was.

    The process keeps its file, which is emptied: it writes to the end of it, wherever that is. What it writes between
    the copy and that is lost.
    """
    if not log.exists() or log.stat().st_size <= LOG_MAX_BYTES:
        return False
    beside = log.with_suffix(".log.1")
    shutil.copyfile(log, beside)
    beside.chmod(0o600)
    os.truncate(log, 0)
    return True


def _before_exec(command: Command) -> Callable[[], None] | None:
    account, arm = command.account, _die_with_parent(command.death_signal)
    if account is None:
        return arm

    def change() -> None:
        account.become(low_ports=command.low_ports)
        if arm is not None:
            arm()

    return change


def _die_with_parent(death_signal: signal.Signals) -> Callable[[], None] | None:
    """Return what runs in the child between the change of user (which would clear the death signal) and exec."""
    if not sys.platform.startswith("linux"):
        return None
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def arm() -> None:
        prctl(_PR_SET_PDEATHSIG, int(death_signal))
        if os.getppid() != parent:
            os._exit(1)

    return arm


@dataclass
class Keeper:
    """Keeps one process up: starts it again when it ends, ever slower while it keeps ending at once."""

    name: str
    role: str
    make: Callable[[], Command]
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 20.0
    before_restart: Callable[[], None] = lambda: None
    may_restart: Callable[[], bool] = lambda: True
    """Asked when the pause is over: another may have to take over before."""
    process: subprocess.Popen[bytes] | None = None
    failures: int = 0
    _started: float = field(default=0.0)
    _due: float = field(default=0.0)

    @property
    def started(self) -> bool:
        """Whether it was ever started."""
        return self._started > 0

    @property
    def pid(self) -> int | None:
        """The process's id while it lives."""
        return self.process.pid if self.process is not None else None

    @property
    def lives(self) -> bool:
        """Whether the process runs, seen at this moment."""
        return self.process is not None and self.process.poll() is None

    @property
    def started_at(self) -> float:
        """When it was started last, on the monotonic clock."""
        return self._started

    @property
    def pause_s(self) -> float:
        """How long until it is to be started again; for ever while it lives."""
        return math.inf if self.process is not None else max(0.0, self._due - time.monotonic())

    def start(self) -> None:
        """Start the process."""
        self.process, self._started = spawn(self.make()), time.monotonic()
        _log.info("started", extra={"child": self.name, "pid": self.pid})

    def tend(self) -> bool:
        """Notice an end, start again when the pause is over; return whether the pid changed."""
        now = time.monotonic()
        if self.process is not None:
            if self.process.poll() is None:
                return False
            self._note_end(self.process.returncode, now)
            return True
        if now < self._due:
            return False
        if not self.may_restart():
            self._due = now + ASK_AGAIN_S
            return False
        try:
            self.before_restart()
            self.start()
        except (OSError, subprocess.SubprocessError) as error:
            # No disk, memory or descriptors left: what runs goes on, and there may be room again.
            self.failures += 1
            pause = self._pause(now)
            _log.warning("cannot be started", extra={"child": self.name, "error": str(error), "in_s": pause})
            return False
        return True

    def _note_end(self, code: int, now: float) -> None:
        self.failures = 0 if now - self._started > SETTLED_S else self.failures + 1
        self.process = None
        pause = self._pause(now)
        _log.warning("ended, will be started again", extra={"child": self.name, "exit": code, "in_s": pause})

    def _pause(self, now: float) -> float:
        """Set when to start again: ever later with every failure; return how long that is."""
        doublings = min(self.failures - 1, 10)  # bounded, for a store may fail for days
        pause = min(BACKOFF_MAX_S, BACKOFF_MIN_S * 2**doublings) if self.failures else 0.0
        self._due = now + pause
        return pause


def stop_all(keepers: Iterable[Keeper]) -> None:
    """Ask all to end at once, wait for each up to its time-out, then kill."""
    alive = [(keeper, keeper.process) for keeper in keepers if keeper.process is not None]
    for keeper, process in alive:
        if process.poll() is None:
            process.send_signal(keeper.stop_signal)
    asked = time.monotonic()
    for keeper, process in alive:
        try:
            process.wait(max(0.0, asked + keeper.stop_timeout_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            _log.warning("did not end in time, killed", extra={"child": keeper.name, "pid": process.pid})
            process.kill()
            process.wait()
        keeper.process = None
