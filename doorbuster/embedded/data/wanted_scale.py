"""How a supervisor is told how many processes to run, and says how many it does: two small files in a folder.

Owns their form and bounds. The scheduler, which may be another user, writes one in a folder of its own; the supervisor
takes nothing of it but whole numbers within bounds.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MOST = 64
"""Processes of a role on one machine."""
_ROLES = ("intake", "workers")
_BYTES_MAX = 4_096


def wanted_folder(folder: Path) -> Path:
    """Return the folder in which the scheduler writes."""
    return folder / "wanted"


def write_wanted(folder: Path, counts: Mapping[str, int]) -> None:
    """Tell the supervisor; an empty wish is what it was started with."""
    _write(wanted_folder(folder) / "wanted.json", counts)


def read_wanted(folder: Path) -> dict[str, int]:
    """Return what is wanted, as far as it is within bounds; nothing where nothing can be read."""
    try:
        found = _read(wanted_folder(folder) / "wanted.json")
    except (OSError, ValueError):
        return {}
    return {role: min(count, MOST) for role in _ROLES if type(count := found.get(role)) is int and count >= 1}


def write_running(folder: Path, counts: Mapping[str, int]) -> None:
    """Say how many processes run."""
    _write(folder / "running.json", counts, mode=0o644)


def read_running(folder: Path) -> dict[str, int]:
    """Return how many processes run.

    Raises:
        OSError, ValueError: nobody says so.
    """
    return {role: int(count) for role, count in _read(folder / "running.json").items()}


def _write(path: Path, counts: Mapping[str, int], *, mode: int = 0o600) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode), "w") as file:
        os.fchmod(file.fileno(), mode)
        json.dump(dict(counts), file)
    fresh.replace(path)


def _read(path: Path) -> dict[str, Any]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError(f"{path} is no file")
        found = json.loads(file.read(_BYTES_MAX))
    if not isinstance(found, dict):
        raise ValueError(f"{path} holds no object")
    return found
