"""`python -m doorbuster.embedded.users.readable PACKAGE...`: tells whether its user can use what is installed.

Tries what intake, workers and scheduler do at their start, as the user that they are to be. Connects to nothing, writes
nothing; says in a line what it could not.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

from doorbuster.errors import SettingsError
from doorbuster.settings import load_settings

_MODULES = ("gunicorn.app.wsgiapp", "uvicorn_worker", "intake.app", "workers.__main__", "workers.scheduler")


def unreadable(folders: list[Path]) -> Path | None:
    """Return the first file or folder that cannot be read; None when all can."""
    for folder in folders:
        for path in (folder, *folder.rglob("*")):
            if "__pycache__" not in path.parts and not os.access(path, os.R_OK | (os.X_OK if path.is_dir() else 0)):
                return path
    return None


def main(packages: list[str]) -> str:
    """Try everything; return what could not be done, empty if nothing."""
    for name in _MODULES:
        importlib.import_module(name)
    settings = load_settings()
    folders = [Path(path) for package in packages for path in importlib.import_module(package).__path__]
    folders += [Path(settings.room_pages)] if settings.room_pages else []
    if closed := unreadable(folders):
        return f"{closed} cannot be read"
    if settings.room_keys_file is not None:
        settings.room_keys_file.read_bytes()
    return ""


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]) or 0)
    except (OSError, ImportError, SettingsError) as error:
        sys.exit(" ".join(str(error).split()))
