"""A view of the file system in which a user passes to folders that lie below one that is closed to it (Linux).

Python may lie below `/root`, which only root passes. A process gets a mount namespace of its own, where an empty folder
stands in for the closed one and holds nothing but the folders needed, each bound at its own path. Owns that view, which
ends with the process; changes no mode and no owner, and shows nothing that the folders' own modes do not allow.
"""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_CLONE_NEWNS = 0x0002_0000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_REMOUNT = 0x1, 0x2, 0x4, 0x20
_MS_BIND, _MS_REC, _MS_SLAVE = 0x1000, 0x4000, 0x8_0000
_LINKS_MAX = 100


@dataclass(frozen=True)
class View:
    """What stands in for what."""

    closed: tuple[Path, ...] = ()
    """Folders that the user cannot pass; none of them below another."""
    shown: tuple[Path, ...] = ()
    """Folders below them that are to be seen at their own paths; none of them below another."""
    links: tuple[tuple[Path, str], ...] = ()
    """Symbolic links on the way there, with their targets."""

    def enter(self) -> None:
        """Give this process, still root, the view; for the child between fork and exec.

        Raises:
            OSError: the system does not allow it.
        """
        if not self.closed:
            return
        if _libc.unshare(_CLONE_NEWNS):
            raise _failed("unshare")
        # What is mounted outside later appears here too, and nothing that is mounted here appears there.
        _mount(None, "/", None, _MS_REC | _MS_SLAVE)
        mask = os.umask(0o022)
        kept = [(path, os.open(path, os.O_PATH | os.O_DIRECTORY)) for path in self.shown]
        for folder in self.closed:
            _mount("tmpfs", str(folder), "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=0755,size=1m")
        for path, descriptor in kept:
            path.mkdir(parents=True)
            _mount(f"/proc/self/fd/{descriptor}", str(path), None, _MS_BIND | _MS_REC)
            os.close(descriptor)
        for path, target in self.links:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(target)
        for folder in self.closed:
            _mount(None, str(folder), None, _MS_REMOUNT | _MS_RDONLY | _MS_NOSUID | _MS_NODEV)
        os.umask(mask)


def view_of(needed: Iterable[Path], *, uid: int, gid: int) -> View:
    """Return the view in which a user, a member of no other group, passes to each of the folders needed."""
    ends: set[Path] = set()
    links: dict[Path, str] = {}
    for path in needed:
        end, passed = _walk(path)
        links |= passed
        if end.is_dir():
            ends.add(end)
    closed = _outermost({first for end in (*ends, *links) if (first := _first_closed(end, uid, gid)) is not None})
    shown = _outermost({end for end in ends if any(one in end.parents for one in closed)})
    ways = {
        path: target
        for path, target in links.items()
        if any(one in path.parents for one in closed) and not any(one in path.parents for one in shown)
    }
    return View(tuple(sorted(closed)), tuple(sorted(shown)), tuple(sorted(ways.items())))


def _walk(path: Path) -> tuple[Path, dict[Path, str]]:
    """Follow a path; return where it ends and the links passed on the way."""
    links: dict[Path, str] = {}
    at, left = Path("/"), list(path.absolute().parts[1:])
    while left and len(links) < _LINKS_MAX:
        part = left.pop(0)
        step = at.parent if part == ".." else at / part
        if step.is_symlink():
            links[step] = target = str(step.readlink())
            left = [*(at / target).parts[1:], *left]
            at = Path("/")
        else:
            at = step
    return at, links


def _first_closed(path: Path, uid: int, gid: int) -> Path | None:
    """Return the outermost folder above a path that the user cannot pass."""
    for folder in reversed(path.parents):
        found = folder.stat()
        bit = stat.S_IXUSR if found.st_uid == uid else stat.S_IXGRP if found.st_gid == gid else stat.S_IXOTH
        if not found.st_mode & bit:
            return folder if folder.parent != folder else None  # nothing stands in for the root of it all
    return None


def _outermost(paths: set[Path]) -> set[Path]:
    return {path for path in paths if not paths & set(path.parents)}


_libc = ctypes.CDLL(None, use_errno=True)


def _mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    texts = [None if text is None else text.encode() for text in (source, target, kind, options)]
    if _libc.mount(*texts[:3], ctypes.c_ulong(flags), texts[3]):
        raise _failed(f"mount of {target}")


def _failed(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")
