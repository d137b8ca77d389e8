"""Whether what lies in the file system may be believed. Owns that judgement; changes no owner and no mode.

Whoever owns a folder or file, or may write it, decides what is in it: keys, addresses that commands send the ops key
to, what servers load. So it must be the present user's own, or root's, and nobody else's to write.
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

from doorbuster.errors import InvalidError

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
TEXT_MAX = 1_048_576
"""Characters of a file that is read as a whole."""


def judge(path: Path, found: os.stat_result) -> None:
    """Refuse what somebody else owns or may write.

    Raises:
        InvalidError: saying which, and what to do.
    """
    if found.st_uid not in (os.geteuid(), 0):
        raise InvalidError(f"{path} belongs to another user (uid {found.st_uid}): nothing in it is believed")
    if found.st_mode & _OTHERS_WRITE:
        raise InvalidError(f"{path} may be written by other users: look what is in it, then `chmod go-w` it")


def judge_folder(path: Path) -> None:
    """Refuse a folder that somebody else owns or may write.

    Raises:
        InvalidError: it is so, or no folder.
    """
    found = path.stat()
    if not stat.S_ISDIR(found.st_mode):
        raise InvalidError(f"{path} is no folder")
    judge(path, found)


def read_trusted(path: Path) -> str:
    """Return the text of a file that nobody else owns or may write, nor the folder it lies in.

    Raises:
        InvalidError: somebody else does, or it is no plain file of text.
        OSError: it cannot be read.
    """
    judge_folder(path.parent)
    # Judged by the open file, so that it is what was judged that is read; without waiting for the sender of a pipe.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), encoding="utf-8") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise InvalidError(f"{path} is no plain file")
        judge(path, found)
        try:
            return file.read(TEXT_MAX)
        except UnicodeDecodeError as error:
            raise InvalidError(f"{path} is no text") from error


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object of such a file.

    Raises:
        InvalidError: it is not to be believed, cannot be read, or is no JSON object.
    """
    try:
        found = json.loads(read_trusted(path))
    except OSError as error:
        raise InvalidError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise InvalidError(f"{path} is no JSON object") from error
    if not isinstance(found, dict):
        raise InvalidError(f"{path} is no JSON object")
    return found
