"""HTTP/1.1 as uvicorn speaks it, with one system call an answer. Owns how bytes leave; never what they say.

uvicorn writes an answer's head and its body one after the other, and each write is a system call: about a sixth of what
a short answer costs. Here what is written in one turn of the event loop leaves together at its end.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import httptools
import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from doorbuster.contract import problem

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Transport


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


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol over a gathering transport; what it cannot parse is told as a problem."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection."""
        super().connection_made(Gathering(transport, self.loop))  # type: ignore[arg-type]

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request, and close; a method that nobody knows is 501 (RFC 9110 section 15.6.2)."""
        unknown = isinstance(sys.exc_info()[1], httptools.HttpParserInvalidMethodError)
        refusal = problem("method_unknown" if unknown else "malformed", "There is no such method" if unknown else msg)
        body = msgspec.json.encode(refusal)
        head = b"content-type: application/problem+json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        self.transport.write(STATUS_LINE[refusal.status] + head % len(body) + body)
        self.transport.close()
