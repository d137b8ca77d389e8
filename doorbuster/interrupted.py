"""What a process says when Ctrl-C ends it: one line, wherever it was. Owns these words alone."""

from __future__ import annotations

import sys
from types import TracebackType

EXIT_CODE = 130


def say_interrupted(name: str = "doorbuster") -> None:
    """Say it; on a terminal below the ^C that stands there."""
    sys.stderr.write(f"{chr(10) if sys.stderr.isatty() else ''}{name}: interrupted\n")


def quietly() -> None:
    """Let a Ctrl-C that nobody handles end this process with the line, in place of a traceback."""
    sys.excepthook = _tell


def _tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        say_interrupted()
    else:
        sys.__excepthook__(kind, error, trace)
