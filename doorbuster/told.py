"""One setting as a process is told it, without reading all of them: the environment, else a file of SECRETS_DIR.

Owns the order of the two, which is that of `settings.load_settings`; checks no value. For commands, which need a URL or
two, and for probes, which are started every few seconds.
"""

from __future__ import annotations

import os
from pathlib import Path


def told(name: str) -> str | None:
    """Return what a setting is set to, None if it is not or to nothing; names are not case-sensitive.

    Raises:
        OSError: its file is there and cannot be read.
    """
    wanted = name.lower()
    for key, value in os.environ.items():
        if key.lower() == wanted and value:
            return value
    folder = os.environ.get("SECRETS_DIR")
    if not folder or not Path(folder).is_dir():
        return None
    names = {path.name.lower(): path for path in Path(folder).iterdir() if path.is_file()}
    return (names[wanted].read_text().strip() or None) if wanted in names else None
