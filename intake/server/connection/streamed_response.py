"""An answer that goes on for minutes without a task: its connection is held by whoever has something to say.

To the protocol it stands where a request's cycle does, as a fast response does: what is pipelined waits behind it, and
disconnects and the end of the process are treated as ever. Owns how a chunk leaves, never what is in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from intake.server.connection.fast_response import WriteCoalescingTransport

LAST_CHUNK = b"0\r\n\r\n"


class Streaming(Protocol):
    """What a streamed response needs of its connection."""

    coalescing: WriteCoalescingTransport
    transport: Any

    def on_response_complete(self) -> None:
        """Go on to what waits behind the answer."""


class StreamedResponse:
    """An answer whose head was sent: in chunks, or to HTTP/1.0 until the connection is closed."""

    __slots__ = ("_connection", "_is_chunked", "disconnected", "gone", "keep_alive", "response_complete", "stop")

    response_started = True

    def __init__(self, connection: Streaming, *, keep_alive: bool, is_chunked: bool) -> None:
        self._connection = connection
        self._is_chunked = is_chunked
        self.keep_alive = keep_alive
        self.gone: Callable[[], None] = _nothing
        """Called when nobody is there any more."""
        self.stop: Callable[[], None] = _nothing
        """Called when the process ends: the answer is to come to its end."""
        self.disconnected = False
        self.response_complete = False

    @property
    def message_event(self) -> StreamedResponse:
        """What uvicorn sets when the reader is gone."""
        return self

    def set(self) -> None:
        """Tell that the reader is gone."""
        gone, self.gone, self.stop = self.gone, _nothing, _nothing
        gone()

    def write(self, data: bytes) -> int:
        """Send a part; return how many bytes the reader has not taken."""
        if self.disconnected:
            return 0
        self._connection.coalescing.send(b"%x\r\n%b\r\n" % (len(data), data) if self._is_chunked else data)
        unread: int = self._connection.coalescing.get_write_buffer_size()
        return unread

    def end(self) -> None:
        """Send the answer's end; the connection goes on."""
        if self.disconnected or self.response_complete:
            return
        self.response_complete = True
        self.gone = self.stop = _nothing
        if self._is_chunked:
            self._connection.coalescing.send(LAST_CHUNK)
        if not self.keep_alive:
            self._connection.coalescing.close()
        self._connection.on_response_complete()

    def abort(self) -> None:
        """End the connection, whatever is unread."""
        self._connection.transport.abort()


def _nothing() -> None:
    pass
