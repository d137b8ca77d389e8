"""The rooms are top-level packages with common names: this tells whether each is Doorbuster's. Imports none of them.

Another package of the same name, in site-packages or in the working folder, would be taken for a room and fail far from
the cause.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from doorbuster.errors import SettingsError

ROOMS = ("intake", "workers", "readiness", "waitingroom", "catalogue", "db", "loadtests")
MARK = 'PART_OF = "doorbuster"'
"""Stands in the `__init__.py` of every room."""


def check_rooms(rooms: tuple[str, ...] = ROOMS, beside: Path | None = None) -> None:
    """Check that every room is Doorbuster's own.

    Raises:
        SettingsError: naming the first package that is not, where it is and whose it is.
    """
    home = beside or Path(__file__).parents[1]
    for room in rooms:
        if (found := _found(room)) is None:
            raise SettingsError(f"the package {room!r} of Doorbuster is not installed in {home}: install it again")
        if not _is_ours(found, home / room):
            raise SettingsError(
                f"{found} stands in the place of Doorbuster's package {room!r}{_owner(room)}: "
                "give Doorbuster a virtual environment of its own, and start it in another folder"
            )


def require_rooms() -> None:
    """Check the rooms, and end the process with a line and exit code 2 if one is not Doorbuster's own."""
    try:
        check_rooms()
    except SettingsError as error:
        sys.stderr.write(f"doorbuster: {error.detail}\n")
        raise SystemExit(2) from error


def _found(room: str) -> Path | None:
    """Return the folder that an import of the room would take."""
    try:
        spec = importlib.util.find_spec(room)
    except ValueError:  # something put a module without a spec under this name
        return Path(room)
    if spec is None:
        return None
    if spec.origin is None:
        return Path(next(iter(spec.submodule_search_locations or [room])))
    origin = Path(spec.origin)
    return origin.parent if origin.name == "__init__.py" else origin


def _is_ours(found: Path, ours: Path) -> bool:
    inside = found / "__init__.py"
    return found.resolve() == ours.resolve() and inside.exists() and MARK in inside.read_text(errors="replace")


def _owner(room: str) -> str:
    from importlib.metadata import PackageNotFoundError, packages_distributions, version  # seldom wanted, slow to load

    names = [name for name in packages_distributions().get(room, []) if name != "doorbuster"]
    try:
        return f" (from {names[0]} {version(names[0])})" if names else ""
    except PackageNotFoundError:
        return f" (from {names[0]})"
