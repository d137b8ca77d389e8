"""The Date header (RFC 9110 section 6.6.1). Owns its line, made once a second."""

from __future__ import annotations

from email.utils import formatdate
from time import time


class Dates:
    """The Date header's line, made once a second."""

    __slots__ = ("_line", "_second")

    def __init__(self) -> None:
        self._second, self._line = 0, b""

    def line(self) -> bytes:
        """Return the line for now, with its end."""
        now = int(time())
        if now != self._second:
            self._second, self._line = now, b"date: %b\r\n" % formatdate(now, usegmt=True).encode()
        return self._line


DATES = Dates()
