"""HTTP/1.1 as uvicorn speaks it, with less to do for a short answer. Owns how bytes come and leave, not what they say.

uvicorn writes an answer's head and its body one after the other, and each write is a system call: about a sixth of what
a short answer costs. Here what is written in one turn of the event loop leaves together at its end. And an order that
came in one piece is answered without a task.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import httptools
import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from doorbuster.contract import PROBLEM_JSON, problem

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Transport
    from collections.abc import Callable

    from intake.limits import Headers

    TakeOrder = Callable[[bytes, Headers, bytes, "Exchange"], bool]

_PROBLEM = PROBLEM_JSON.encode()
ORDERS = b"/orders"
"""How the address ends of what may go the short way."""


class Gathering:
    """A transport that sends what was written in one turn of the loop at once; all else is the transport's own."""

    __slots__ = ("_loop", "_parts", "_transport")

    def __init__(self, transport: Transport, loop: AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Send bytes at the end of this turn, behind those written before."""
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)

    def send(self, data: bytes) -> None:
        """Send bytes that nothing follows, behind those written before."""
        self._parts.append(data)
        self._flush()

    def close(self) -> None:
        """Send what is left, then close."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._parts:
            parts, self._parts = self._parts, []
            self._transport.write(b"".join(parts))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Exchange:
    """A request that waits for its answer without a task of its own.

    To uvicorn's protocol it stands where a request's cycle does, so that pipelined requests, disconnects and the end of
    the process are treated as ever.
    """

    __slots__ = ("_protocol", "at_end", "disconnected", "keep_alive", "response_complete")

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self.at_end: Callable[[], None] = _nothing
        """Called once, when it was answered or could not be."""
        self.disconnected = False
        self.response_complete = False
        self.keep_alive = True

    @property
    def message_event(self) -> Exchange:
        """What uvicorn sets when the sender is gone: nobody waits for it here."""
        return self

    def set(self) -> None:
        """Take note of nothing."""

    def answer(self, status: int, headers: bytes, body: bytes) -> None:
        """Send the answer; `headers` are whole lines, but for the length."""
        self.response_complete = True
        if not self.disconnected:
            last = b"" if self.keep_alive else b"connection: close\r\n"
            head = b"%b%bcontent-length: %d\r\n%b\r\n" % (STATUS_LINE[status], headers, len(body), last)
            self._protocol.gathering.send(head + body)
            if not self.keep_alive:
                self._protocol.gathering.close()
            self._protocol.on_response_complete()
        self.at_end()


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol over a gathering transport, with a short way for orders.

    An order that came in one piece is offered to the application's `take_order` before anything is made for it: scope,
    cycle and task cost a quarter of what an order does. Whatever it does not take goes uvicorn's way, which
    begins with what was held back.
    """

    app: Any
    _held: list[bytes] | None = None
    """Pieces of the body that may go the short way, while the request is being read."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection."""
        self.gathering = Gathering(transport, self.loop)
        super().connection_made(self.gathering)  # type: ignore[arg-type]
        self._take_order: TakeOrder = getattr(self.app, "take_order", _take_none)

    def data_received(self, data: bytes) -> None:
        """Read on; what is not complete by now goes the long way."""
        super().data_received(data)
        if self._held is not None and self.parser is not None:
            self._go_on()

    def on_headers_complete(self) -> None:
        """Hold a request back that may go the short way."""
        if self._may_be_short():
            self._held = []
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        if self._held is None:
            super().on_body(body)
        else:
            self._held.append(body)

    def on_message_complete(self) -> None:
        """Offer a whole request, or end one that is on the long way."""
        if self._held is not None:
            before, exchange = self.cycle, Exchange(self)
            self.cycle = exchange  # type: ignore[assignment]  # stands for one
            if self._take_order(self.url, self.headers, b"".join(self._held), exchange):
                self._held = None
                return
            self.cycle = before
            self._go_on()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request, and close; a method that nobody knows is 501 (RFC 9110 section 15.6.2)."""
        unknown = isinstance(sys.exc_info()[1], httptools.HttpParserInvalidMethodError)
        refusal = problem("method_unknown" if unknown else "malformed", "There is no such method" if unknown else msg)
        body = msgspec.json.encode(refusal)
        head = b"content-type: %b\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % (_PROBLEM, len(body))
        self.transport.write(STATUS_LINE[refusal.status] + head + body)
        self.transport.close()

    def _may_be_short(self) -> bool:
        return (
            self.url.endswith(ORDERS)
            and self.parser.get_method() == b"POST"
            and (self.cycle is None or self.cycle.response_complete)
            and not self.expect_100_continue
            and not self.flow.write_paused
            and not self.parser.should_upgrade()
            and self.parser.should_keep_alive()
            and self.parser.get_http_version() == "1.1"
        )

    def _go_on(self) -> None:
        """Send what was held back the long way."""
        held, self._held = self._held, None
        super().on_headers_complete()
        for body in held or ():
            super().on_body(body)


def _nothing() -> None:
    pass


def _take_none(_url: bytes, _headers: Headers, _body: bytes, _exchange: Exchange) -> bool:
    return False
