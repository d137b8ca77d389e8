"""Whether the uvicorn at hand has the inside that our protocol stands on. Owns that question; never serves.

Asked once, at a process's start: requests are walked through the protocol over a transport that is none, on the full
path and on the fast one, to the end of the process and to a lost connection. Where that does not come out as it must,
uvicorn's own protocol serves instead: a slower sale is better than one whose process cannot end.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from intake.server.asgi import HAND_OVER
from intake.server.connection.connections import Connections
from intake.server.connection.http_protocol import IntakeHttpProtocol

if TYPE_CHECKING:
    from intake.server.asgi import Headers, Receive, Scope, Send
    from intake.server.connection.fast_response import FastResponse
    from intake.server.connection.streamed_response import StreamedResponse

log = logging.getLogger("doorbuster.intake.http_protocol")

TURNS = 50
"""Turns of the loop within which an answer must come; no clock, for a machine may be busy at the start."""
LOST = (
    "orders take the full path and cost about a quarter more; heads, idle and unread connections have no bounds of "
    "ours: HEAD_BYTES_MAX, HEAD_LINES_MAX, CONNECTIONS_MAX and the time-outs of connections are not in force"
)
_GET = b"GET / HTTP/1.1\r\nHost: probe\r\n\r\n"
_STREAM = b"GET /orders/probe/events HTTP/1.1\r\nHost: probe\r\n\r\n"
_ORDER = b"POST /sales/probe/orders HTTP/1.1\r\nHost: probe\r\nContent-Length: 2\r\n\r\n{}"
_ACCEPTED = b"HTTP/1.1 202 "


async def protocol_for(app: Any) -> type[asyncio.Protocol]:
    """Return the protocol that serves an application: ours, or uvicorn's own with a note in `app.protocol_fault`."""
    fault = await fault_in(IntakeHttpProtocol)
    if not fault:
        return IntakeHttpProtocol
    version = uvicorn.__version__
    app.protocol_fault = f"degraded: the intake's HTTP protocol does not work on uvicorn {version} ({fault}); {LOST}"
    log.error(
        "the intake's HTTP protocol does not work on uvicorn %s; uvicorn's own serves instead",
        version,
        extra={"fault": fault, "lost": LOST},
    )
    return HttpToolsProtocol


async def fault_in(protocol: type[IntakeHttpProtocol]) -> str:
    """Return what of a protocol does not work on the uvicorn at hand, empty when all does."""
    try:
        await _Probe(protocol).walk()
    except Exception as error:  # noqa: BLE001 - whatever another inside makes of it is the answer
        return f"{type(error).__name__}: {error}"
    return ""


class _Probe:
    """One walk through a protocol; the application it talks to as well."""

    def __init__(self, protocol: type[IntakeHttpProtocol]) -> None:
        self._protocol = protocol
        self._state = ServerState()
        self._taken: list[FastResponse] = []
        self._streamed: StreamedResponse | None = None
        self.connections = Connections()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        if HAND_OVER in scope:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"begun", "more_body": True})
            self._streamed = scope[HAND_OVER]()
            await send({"type": "http.response.body", "body": b""})  # as a framework ends it, which knows of nothing
            return
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def take_order(self, _url: bytes, _headers: Headers, _body: bytes, exchange: FastResponse) -> bool:
        self._taken.append(exchange)
        return True

    async def walk(self) -> None:
        """Walk a connection to the end of the process, and one that is lost.

        Raises:
            Exception: whatever goes wrong on another inside.
        """
        connection, wire = self._connect()
        connection.data_received(_GET)
        await _until(lambda: b"HTTP/1.1 204 " in wire.written, "a request of the full path was not answered")
        connection.data_received(_ORDER + _GET)
        self._answer()
        _insist(_ACCEPTED in wire.written, "an order of the fast path was not answered")
        await _until(lambda: wire.written.count(b"HTTP/1.1 204 ") > 1, "what waits behind it was not answered")
        connection.data_received(_ORDER)
        connection.pause_writing()
        connection.resume_writing()
        connection.shutdown()  # as the server does when the process ends
        self._answer()
        _insist(wire.written.count(_ACCEPTED) > 1, "an order in work was not answered at the end of the process")
        await _until(wire.is_closing, "the connection was not closed at the end of the process")
        connection.connection_lost(None)

        await self._walk_a_stream()

        connection, wire = self._connect()
        connection.data_received(_ORDER)
        connection.connection_lost(None)
        self._answer()
        _insist(not wire.written, "an order was answered whose connection is lost")
        await _until(lambda: not self._state.tasks, "the tasks of requests do not end")
        _insist(not self._state.connections, "a lost connection was not let go")

    async def _walk_a_stream(self) -> None:
        """Walk an answer that is taken out of its task's hands, and what waits behind it."""
        connection, wire = self._connect()
        connection.data_received(_STREAM + _GET)
        await _until(lambda: self._streamed is not None, "an answer could not be handed over")
        assert self._streamed is not None
        await _until(lambda: not self._state.tasks, "the task of an answer that was handed over does not end")
        self._streamed.write(b"more")
        _insist(b"4\r\nmore\r\n" in wire.written and not wire.is_closing(), "an answer does not go on without its task")
        self._streamed.end()
        await _until(lambda: b"HTTP/1.1 204 " in wire.written, "what waits behind such an answer was not answered")
        connection.connection_lost(None)

    def _connect(self) -> tuple[IntakeHttpProtocol, _Wire]:
        config = Config(
            self, http=self._protocol, loop="none", ws="none", lifespan="off", interface="asgi3", log_config=None,
            proxy_headers=False, access_log=False,
        )  # fmt: skip
        wire, connection = _Wire(), self._protocol(config, self._state, {}, asyncio.get_running_loop())
        connection.connection_made(wire)
        return connection, wire

    def _answer(self) -> None:
        _insist(bool(self._taken), "an order was not offered to the fast path")
        self._taken.pop().answer(202, b"", b"{}")


class _Wire(asyncio.Transport):
    """A transport that only remembers."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self._is_closing = False

    def get_extra_info(self, _name: str, default: Any = None) -> Any:
        return default

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return 0

    def can_write_eof(self) -> bool:
        return False

    def close(self) -> None:
        self._is_closing = True

    def abort(self) -> None:
        self._is_closing = True

    def is_closing(self) -> bool:
        return self._is_closing

    def pause_reading(self) -> None:
        """Do nothing: nothing comes."""

    def resume_reading(self) -> None:
        """Do nothing: nothing comes."""


def _insist(holds: bool, fault: str) -> None:
    if not holds:
        raise RuntimeError(fault)


async def _until(condition: Any, fault: str) -> None:
    for _ in range(TURNS):
        if condition():
            return
        await asyncio.sleep(0)
    raise RuntimeError(fault)
