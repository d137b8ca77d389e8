"""How an answer leaves: what is written in one turn leaves together, and a short answer needs no task.

uvicorn writes an answer's head and its body one after the other, and each write is a system call: about a sixth of what
a short answer costs. Owns bytes that leave and a connection's end, never what they say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from intake.server.connection.date_header import DATES

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Transport
    from collections.abc import Callable


class WriteCoalescingTransport:
    """A transport that sends what was written in one turn of the loop at once; all else is the transport's own."""

    __slots__ = ("_loop", "_parts", "_transport", "is_ended", "may_linger")

    def __init__(self, transport: Transport, loop: AbstractEventLoop, may_linger: Callable[[], bool]) -> None:
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []
        self.may_linger = may_linger
        """Told that the connection ends; says whether the other side may still be sending."""
        self.is_ended = False
        """Nothing more is to be written."""

    def write(self, data: bytes) -> None:
        """Send bytes at the end of this turn, behind those written before."""
        if not self._parts:
            self._loop.call_soon(self.flush)
        self._parts.append(data)

    def send(self, data: bytes) -> None:
        """Send bytes that nothing follows, behind those written before."""
        if self._parts:
            self._parts.append(data)
            self.flush()
        elif not self.is_ended:
            self._transport.write(data)

    def close(self) -> None:
        """Send what is left, then close; but who is still sending would be answered with a reset, and not read it."""
        self.flush()
        if self.is_ended:
            return
        self.is_ended = True
        if self.may_linger() and not self._transport.is_closing() and self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()

    def finish(self) -> None:
        """Close, whatever the other side does."""
        self._transport.close()

    def is_closing(self) -> bool:
        """Say whether nothing more is to be written."""
        return self.is_ended or self._transport.is_closing()

    def flush(self) -> None:
        """Send what was written."""
        if self._parts:
            parts, self._parts = self._parts, []
            if not self.is_ended:
                self._transport.write(b"".join(parts))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Flow(FlowControl):
    """uvicorn's flow control, in which reading also stays paused while enough requests wait."""

    is_full = False

    def resume_reading(self) -> None:
        """Read on, if there is room for more."""
        if not self.is_full:
            super().resume_reading()


class Responding(Protocol):
    """What a fast response needs of its connection."""

    coalescing: WriteCoalescingTransport
    client: tuple[str, int] | None

    def on_response_complete(self) -> None:
        """Go on to what waits behind the answer."""


class FastResponse:
    """A request that waits for its answer without a task of its own.

    To uvicorn's protocol it stands where a request's cycle does, so that pipelined requests, disconnects and the end of
    the process are treated as ever.
    """

    __slots__ = ("_connection", "at_end", "disconnected", "keep_alive", "response_complete")

    response_started = False

    def __init__(self, connection: Responding) -> None:
        self._connection = connection
        self.at_end: Callable[[], None] = _nothing
        """Called once, when it was answered or could not be."""
        self.disconnected = False
        self.response_complete = False
        self.keep_alive = True

    @property
    def client(self) -> tuple[str, int] | None:
        """Who is connected: address and port."""
        return self._connection.client

    @property
    def message_event(self) -> FastResponse:
        """What uvicorn sets when the sender is gone: nobody waits for it here."""
        return self

    def set(self) -> None:
        """Take note of nothing."""

    def answer(self, status: int, headers: bytes, body: bytes) -> None:
        """Send the answer; `headers` are whole lines, but for date and length."""
        self.response_complete = True
        if not self.disconnected:
            last = b"" if self.keep_alive else b"connection: close\r\n"
            values = STATUS_LINE[status], DATES.line(), headers, len(body), last
            head = b"%b%b%bcontent-length: %d\r\n%b\r\n" % values
            self._connection.coalescing.send(head + body)
            if not self.keep_alive:
                self._connection.coalescing.close()
            self._connection.on_response_complete()
        self.at_end()


def _nothing() -> None:
    pass
