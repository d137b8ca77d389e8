"""What a killed run left behind: finds the processes of a data folder and ends them.

Only ever called with the folder's lock held, hence no live run owns what it finds. Never touches other processes.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil

MARK = "DOORBUSTER_RUN"
"""Variable in the environment of every child: the data folder it belongs to."""
_STORES = {"postgres": signal.SIGINT, "valkey-server": signal.SIGTERM}
_GRACE_S = 10.0


def find(root: Path, service: str | None = None, *, stores: bool = True) -> Iterator[psutil.Process]:
    """Yield the processes of the data folder; of one service only, if named; without the stores, if told so."""
    spared = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    for process in psutil.process_iter(["name", "cwd"]):
        if process.pid in spared:
            continue
        if process.info["name"] in _STORES:
            if stores and service is None and _is_store(process, root):
                yield process
        elif _is_marked(process, root, service):
            yield process


def _is_store(process: psutil.Process, root: Path) -> bool:
    """Stores overwrite their environment with their title, hence are known by their working folder."""
    cwd = process.info["cwd"]
    return cwd is not None and root in Path(cwd).parents


def _is_marked(process: psutil.Process, root: Path, service: str | None) -> bool:
    try:
        mark = process.environ().get(MARK, "")
    except psutil.Error:
        return False
    folder, _, owner = mark.rpartition("#")
    return folder == str(root) and service in (None, owner)


def mark(root: Path, service: str) -> str:
    """Return the value of MARK for a child."""
    return f"{root}#{service}"


def sweep(root: Path, service: str | None = None, *, stores: bool = True) -> int:
    """End every process found: stores as they end cleanly, the rest at once. Return how many there were."""
    found = list(find(root, service, stores=stores))
    for process in found:
        _send(process, _STORES.get(process.info["name"], signal.SIGKILL))
    _, alive = psutil.wait_procs(found, timeout=_GRACE_S)
    for process in alive:
        _send(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=_GRACE_S)
    return len(found)


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
