"""The terminal as a screen of its own: drawn over in place, given back as it was, however the program ends.

Owns what is sent to the terminal and its modes; draws nothing of its own.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
from typing import TYPE_CHECKING, Any

from doorbuster.cli.watch.cells import Marks, written

if TYPE_CHECKING:
    import threading
    from types import FrameType, TracebackType

    from doorbuster.cli.watch.cells import Line

_ENTER = "\x1b[?1049h\x1b[?25l\x1b[2J"
_LEAVE = "\x1b[?25h\x1b[?1049l"
_HOME, _REST_OF_LINE, _REST = "\x1b[H", "\x1b[K", "\x1b[J"
DEFAULT = os.terminal_size((80, 24))


def is_terminal() -> bool:
    """Say whether what is printed stands on a terminal that can be drawn on."""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def size() -> os.terminal_size:
    """Return the terminal's size now; that of a usual one where there is none."""
    with contextlib.suppress(OSError, ValueError):
        found = os.get_terminal_size(sys.stdout.fileno())
        if found.columns and found.lines:
            return found
    return DEFAULT


def marks() -> Marks:
    """Return what may be sent: nothing where it is no terminal, no colours where NO_COLOR is set (no-color.org)."""
    on = is_terminal()
    return Marks(on, on and not os.environ.get("NO_COLOR"))


def shows_blocks() -> bool:
    """Say whether the terminal's encoding has the signs of bars."""
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


class Terminal:
    """A screen; as a context it is entered, and given back at its end."""

    def __init__(self, wake: threading.Event) -> None:
        """Take what is set when the screen is to be drawn anew: its size changed, or it is back in front."""
        self._wake = wake
        self._modes: list[Any] | None = None
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> Terminal:
        """Take the terminal."""
        for signum, handler in ((signal.SIGWINCH, self._changed), (signal.SIGTSTP, self._stop), (signal.SIGTERM, _end)):
            self._handlers[signum] = signal.signal(signum, handler)
        self._take()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        """Give it back as it was."""
        self._give_back()
        for signum, handler in self._handlers.items():
            signal.signal(signum, handler)

    def show(self, lines: list[Line], marks: Marks) -> None:
        """Draw lines over what stands there."""
        width, height = size()
        told = f"{_REST_OF_LINE}\n".join(written(line, width, marks) for line in lines[:height])
        _send(f"{_HOME}{told}{_REST_OF_LINE}{_REST}")

    def asked_to_end(self) -> bool:
        """Say whether somebody pressed q."""
        if self._modes is None:
            return False
        pressed = ""
        with contextlib.suppress(OSError, ValueError):
            while select.select([sys.stdin], [], [], 0)[0] and (read := os.read(sys.stdin.fileno(), 1024)):
                pressed += read.decode(errors="replace")
        return "q" in pressed

    def _take(self) -> None:
        with contextlib.suppress(OSError, ValueError, termios.error):  # who types there is no terminal
            self._modes = termios.tcgetattr(sys.stdin.fileno())
            quiet = termios.tcgetattr(sys.stdin.fileno())
            quiet[3] &= ~(termios.ECHO | termios.ICANON)
            termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, quiet)
        _send(_ENTER)

    def _give_back(self) -> None:
        _send(_LEAVE)
        if self._modes is not None:
            with contextlib.suppress(OSError, ValueError, termios.error):
                termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, self._modes)

    def _changed(self, _signum: int, _frame: FrameType | None) -> None:
        self._wake.set()

    def _stop(self, _signum: int, _frame: FrameType | None) -> None:
        """Stop, as Ctrl-Z asks, with the terminal given back; take it again afterwards."""
        self._give_back()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, self._stop)
        self._take()
        self._wake.set()


def _end(signum: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + signum)


def _send(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
