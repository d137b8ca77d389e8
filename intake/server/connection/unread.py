"""What a connection has sent and nobody has parsed yet. Owns those bytes and their number; parses nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from intake.server.connection.connections import Connections

PIECE = 16 * 1024
"""How much is parsed at a time before the bounds are looked at again."""
HEAD_END = b"\r\n\r\n"


class UnparsedBytes:
    """Bytes of one connection, counted among those of all."""

    __slots__ = ("_all", "_at", "_data")

    def __init__(self, connections: Connections) -> None:
        self._all = connections
        self._data, self._at = b"", 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def add(self, data: bytes) -> None:
        """Keep what was received."""
        self._data, self._at = self._data[self._at :] + data, 0
        self._all.unread += len(data)

    def take(self, heads: int) -> bytes:
        """Take the next piece, which ends behind so many heads at the latest."""
        at, most = self._at, self._at + PIECE
        for _ in range(max(1, heads)):
            end = self._data.find(HEAD_END, at, most)
            if end < 0:
                at = most
                break
            at = end + len(HEAD_END)
        piece = self._data[self._at : at]
        self._at += len(piece)
        self._all.unread -= len(piece)
        if not self:
            self._data, self._at = b"", 0
        return piece

    def drop(self) -> None:
        """Forget what is left."""
        self._all.unread -= len(self._data) - self._at
        self._data, self._at = b"", 0
