"""`doorbuster up` in the background: started, waited for, asked to end. Owns the child until it serves, nothing of it.

Who holds a data folder's lock writes its process id into it; a lock that nobody holds means that nothing runs.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from doorbuster.embedded.data import trust
from doorbuster.embedded.data.folder import DataFolder
from doorbuster.errors import DoorbusterError, NotFoundError, StoreUnavailableError

_LOOK_S = 0.1
STOP_S = 180.0
"""A little longer than the slowest store may take to end."""


class StartError(DoorbusterError):
    """The instance did not come up; `code_of_exit` is its own."""

    def __init__(self, detail: str, exit_code: int) -> None:
        super().__init__(detail)
        self.exit_code = exit_code


def start(folder: DataFolder, arguments: list[str]) -> str:
    """Start an instance in the background; return its ready line once it serves.

    Raises:
        StartError: it ended before that, with its own words.
        InvalidError, ConflictError: the folder cannot be used, or is in use.
    """
    folder.open()
    folder.close()
    log = folder.log("up")
    with log.open("ab") as errors:
        told_before = errors.tell()
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "doorbuster", "up", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
    assert process.stdout is not None
    try:
        line = process.stdout.readline().decode()
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise
    finally:
        process.stdout.close()
    if line:
        return line.strip()
    raise StartError(_said(log, told_before), process.wait())


def stop(root: Path) -> int:
    """End the instance of a data folder and wait until it has ended; return its process id.

    Raises:
        NotFoundError: none runs there.
        StoreUnavailableError: it does not end.
    """
    lock = root / "lock"
    pid = holder(lock)
    if pid is None:
        raise NotFoundError(f"nothing runs on the data folder {root}")
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_S
    while holder(lock) == pid:
        if time.monotonic() > deadline:
            raise StoreUnavailableError(f"process {pid} of {root} has not ended after {STOP_S:.0f} s")
        time.sleep(_LOOK_S)
    return pid


def holder(lock: Path) -> int | None:
    """Return the id of the process that holds a lock, None if nobody does.

    Raises:
        InvalidError: others could have written it.
    """
    try:
        trust.judge_folder(lock.parent)
        trust.read_trusted(lock)
        file = lock.open("r")
    except OSError:
        return None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            text = file.read().strip()
            return int(text) if text.isdecimal() else None
    return None


def _said(log: Path, told_before: int) -> str:
    with log.open("rb") as file:
        file.seek(told_before)
        lines = file.read().decode(errors="replace").splitlines()
    own = [line.removeprefix("doorbuster: ") for line in lines if line.startswith("doorbuster: ")]
    return "\n".join(own) or f"it ended without a word of why (see {log})"
