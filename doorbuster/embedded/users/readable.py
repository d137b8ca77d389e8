"""`python -m doorbuster.embedded.users.readable PACKAGE...`: tells whether its user can use what is installed.

Looks whether its user, whom intake, workers and scheduler are to be, may read all that they could load at their start.
Only where something is closed to it, be it needed or not, are they loaded to know: that takes several times as long as
the look. Connects to nothing, writes nothing; says in a line what it could not.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from doorbuster.errors import SettingsError
from doorbuster.settings import load_settings

_MODULES = ("gunicorn.app.wsgiapp", "uvicorn_worker", "intake.app", "workers.__main__", "workers.scheduler")


def unreadable(paths: Iterable[Path]) -> Path | None:
    """Return the first file or folder that cannot be read; None when all can."""
    return next((closed for path in paths for closed in _closed(path)), None)


def _closed(path: Path) -> Iterator[Path]:
    """Yield what below a folder cannot be read, or the file itself."""
    if not path.is_dir():
        if not os.access(path, os.R_OK):
            yield path
        return
    refused: list[OSError] = []
    for at, folders, files in os.walk(path, onerror=refused.append):
        # Nothing is imported from a hidden folder, such as the environment in the checkout it was made for.
        folders[:] = [name for name in folders if name != "__pycache__" and not name.startswith(".")]
        # By names within it, and as text: there are ten thousands.
        here = os.open(at, os.O_PATH | os.O_DIRECTORY)
        try:
            yield from (Path(at, name) for name in files if not os.access(name, os.R_OK, dir_fd=here))
        finally:
            os.close(here)
    yield from (Path(error.filename) for error in refused)


def main(packages: list[str]) -> str:
    """Try everything; return what could not be done, empty if nothing."""
    if unreadable(path for path in map(Path, sys.path) if path.exists()):
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
