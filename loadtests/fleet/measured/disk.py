"""How long the disk under a folder takes to sync a little, and a lot. Owns one file, which it removes."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from time import perf_counter

_SYNCS = 200
_LITTLE, _MUCH = b"x" * 8_192, b"x" * (16 << 20)


def measure(folder: Path) -> tuple[float, float]:
    """Return the seconds of a sync of 8 KiB and the bytes a second of one of 16 MiB.

    Of the little ones the fastest tenth's: what takes longer waited for the processor, where others are at work.
    """
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        number = file.fileno()
        synced = sorted(_timed(number, _LITTLE) for _ in range(_SYNCS))[_SYNCS // 10]
        much = min(_timed(number, _MUCH) for _ in range(3))
    return synced, len(_MUCH) / much


def _timed(number: int, content: bytes) -> float:
    began = perf_counter()
    os.write(number, content)
    os.fdatasync(number)
    return perf_counter() - began
