"""HTTP/1.1 as uvicorn speaks it, with bounds, and with less to do for an order. Owns how bytes come, not what they say.

What uvicorn lacks and a public listener needs: a head has a size and a time; few requests wait on one connection, and
none begins while its predecessor's answer is not read; what the parser takes for another protocol's beginning is
HTTP all the same; and answers come in the order of requests, the last words to garbage among them.
"""

from __future__ import annotations

import urllib.parse
from asyncio import Event
from typing import TYPE_CHECKING

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from intake.server.asgi import HAND_OVER, WHOLE
from intake.server.connection.connections import LINGER_BYTES, UNREAD_MAX, Connections
from intake.server.connection.ending import BETWEEN, BODY, ENDED, HEAD, ClosableProtocol
from intake.server.connection.fast_response import FastResponse, Flow, WriteCoalescingTransport
from intake.server.connection.framing import FaultyError, FramingFault, fault_in, fault_of, size_of, without_upgrade
from intake.server.connection.unchunked import UnchunkedCycle
from intake.server.connection.unread import HEAD_END, PIECE, UnparsedBytes

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from uvicorn._types import HTTPScope

    from intake.server.asgi import Headers
    from intake.server.connection.connections import ConnectionStage

    TakeOrder = Callable[[bytes, Headers, bytes, FastResponse], bool]

ORDERS = b"/orders"
FAST = ORDERS, b"/room/admissions", b"/room/tickets"
"""How the addresses end of what may take the fast path."""
EVENTS = b"/events"
"""How the path ends of what streams without a task."""
WAITING_MAX = 8
"""How many requests may wait on a connection behind the one in work before no more is read."""


class IntakeHttpProtocol(ClosableProtocol):
    """uvicorn's protocol over a coalescing transport, with bounds, and a fast path for orders and visits of a room.

    One that came in one piece is offered to the application's `take_order` or `take_visit` before anything is made for
    it: scope, cycle and task cost a quarter of what an order does. Whatever it does not take goes uvicorn's way, which
    begins with what was held back.
    """

    _seen = 0
    """Bytes that the head may have, at most, as far as it was received."""
    _sure = 0
    """Bytes that it has at least."""
    _blank = 0
    """Bytes received in a row that belong to no body, though its end has not come: a trailer's."""
    _is_late = False
    """The head came in pieces."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection."""
        connections: Connections | None = getattr(self.app, "connections", None)
        self._all = connections if connections is not None else Connections()
        self._bounds = self._all.bounds
        self._resting: ConnectionStage = self._all.silent
        self._unread = UnparsedBytes(self._all)
        self.coalescing = WriteCoalescingTransport(transport, self.loop, self._lingers)
        super().connection_made(self.coalescing)  # type: ignore[arg-type]
        self._leave_codings_to_us()
        self.flow = Flow(self.coalescing)  # type: ignore[arg-type]
        self._take_order: TakeOrder = getattr(self.app, "take_order", _take_none)
        self._take_visit: TakeOrder = getattr(self.app, "take_visit", _take_none)
        if not self._all.add(self):
            self._end(FramingFault("overloaded", "Too many connections are open; try again soon"))

    # Reading.

    def data_received(self, data: bytes) -> None:
        """Read on; what is not complete by now takes the full path."""
        if len(data) <= PIECE and self._phase == BETWEEN and not self._unread and data.count(HEAD_END) < 2:
            self._seen = len(data)
            self._feed(data)
            if self._phase or self.pipeline:
                self._look(len(data), goes_on=False)
                self.flow.is_full = self._is_full()
                if self.flow.is_full:
                    self.flow.pause_reading()
        elif self._phase == ENDED:
            self._thrown += len(data)
            if self._thrown > LINGER_BYTES:
                self.transport.abort()
        else:
            self._unread.add(data)
            self._read_on()

    def _read_on(self) -> None:
        """Parse what was received, a piece at a time, while few enough requests wait; then read on."""
        while self._unread and self._phase != ENDED and not self._is_full():
            piece = self._unread.take(WAITING_MAX - len(self.pipeline))
            goes_on = self._phase == HEAD
            self._seen = self._seen + len(piece) if goes_on else len(piece)
            self._feed(piece)
            self._look(len(piece), goes_on=goes_on)
        if self._all.unread > UNREAD_MAX and self._unread:
            self.transport.abort()
        was_full, self.flow.is_full = self.flow.is_full, self._is_full()
        if self.flow.is_full:
            self.flow.pause_reading()
            self._all.heads.pop(self, None)  # it cannot come while it is not read
        elif was_full:
            self.flow.resume_reading()

    def _is_full(self) -> bool:
        return len(self.pipeline) >= WAITING_MAX or (
            bool(self.pipeline) and sum(len(cycle.body) for cycle, _ in self.pipeline) > HIGH_WATER_LIMIT
        )

    def _feed(self, data: bytes) -> None:
        while data:
            try:
                self.parser.feed_data(data)
                break
            except httptools.HttpParserUpgrade as upgrade:
                data = self._past_upgrade(data[upgrade.args[0] :])
            except httptools.HttpParserError as error:
                fault = fault_in(error, error.__context__)
                if self._phase == BODY and fault.code == "malformed":  # the parser knows less of codings
                    fault = fault_of(self.parser.get_http_version(), self._head) or fault
                self._end(fault)
                return
        if self._held is not None:
            try:
                self._go_on()
            except (FaultyError, httptools.HttpParserError) as error:
                self._end(fault_in(error, error))

    def _past_upgrade(self, rest: bytes) -> bytes:
        """Return what to read instead of a head that asks for another protocol: the same without that wish."""
        self._is_upgrading = False
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._end(FramingFault("method_unknown", "There is no such method"))
            return b""
        head = without_upgrade(method, self.url, self.parser.get_http_version(), self._head)
        self.parser = httptools.HttpRequestParser(self)
        self._leave_codings_to_us()
        return head + rest

    def _leave_codings_to_us(self) -> None:
        """Have the parser pass on transfer codings whose order it does not like: `fault_of` refuses them, by kind."""
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True, lenient_transfer_encoding=True)

    def _look(self, size: int, *, goes_on: bool) -> None:
        """Look at a message that is not whole yet; `goes_on`: all of the last piece belongs to its head."""
        bounds = self._bounds
        if self._phase == HEAD:
            self._is_late = True
            self._all.heads.setdefault(self, self.loop.time())
            self._sure = self._sure + size if goes_on else size_of(self.url, self.headers)
            if self._sure > bounds.head_bytes:
                self._end(FramingFault("head_too_large", f"A head may have {bounds.head_bytes} bytes"))
        elif self._phase == BODY:
            self._blank = 0 if self._blank < 0 else self._blank + size
            if len(self.headers) > bounds.head_lines or self._blank > bounds.head_bytes + PIECE:
                self._end(FramingFault("head_too_large", "A trailer may have what a head may have"))

    # What the parser finds.

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._resting.pop(self, None)
        self._phase, self._is_begun = HEAD, False
        self.url, self.headers, self.expect_100_continue = b"", [], False  # all else `_begin` makes

    def on_headers_complete(self) -> None:
        """Hold a request back that may take the fast path."""
        self._phase, self._blank = BODY, 0
        head = self._head = self.headers
        self.headers = []  # what comes from now on is a trailer, which is no part of the head
        if self._is_late:
            self._is_late, self._sure = False, 0
            self._all.heads.pop(self, None)
        bounds = self._bounds
        if len(head) > bounds.head_lines:
            raise FaultyError(FramingFault("head_too_large", f"A head may have {bounds.head_lines} lines"))
        if self._seen > bounds.head_bytes and size_of(self.url, head) > bounds.head_bytes:
            raise FaultyError(FramingFault("head_too_large", f"A head may have {bounds.head_bytes} bytes"))
        if self.parser.should_upgrade():
            self._is_upgrading = True
        elif self._may_be_fast():
            self._held = []
        else:
            self._begin()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._blank = -1
        if self._held is not None:
            self._held.append(body)
        elif not self.cycle.response_complete:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Offer a whole request, or end one that is on the full path."""
        if self._is_upgrading:
            return
        if len(self.headers) > self._bounds.head_lines:
            raise FaultyError(FramingFault("head_too_large", "A trailer may have what a head may have"))
        self._phase = BETWEEN
        if self._held is not None:
            if self._is_taken(self._held):
                self._held = None
                return
            self._go_on()
        self.scope[WHOLE] = True  # type: ignore[literal-required]  # for the guard alone
        super().on_message_complete()
        if self._working is None and not self.pipeline:
            self._rest()

    def _is_taken(self, held: list[bytes]) -> bool:
        before, response = self.cycle, FastResponse(self)
        self.cycle = self._working = response  # type: ignore[assignment]  # stands for one
        is_taken = False
        take = self._take_order if self.url.endswith(ORDERS) else self._take_visit
        try:
            is_taken = take(self.url, self._head, b"".join(held), response)
        finally:
            if not is_taken:
                self.cycle, self._working = before, None
        return is_taken

    def _may_be_fast(self) -> bool:
        return (
            self.url.endswith(FAST)
            and self.parser.get_method() == b"POST"
            and self._working is None
            and not self.pipeline
            and not self.expect_100_continue
            and not self.flow.write_paused
            and self.parser.should_keep_alive()
            and self.parser.get_http_version() == "1.1"
        )

    def _go_on(self) -> None:
        """Send what was held back the full path."""
        held, self._held = self._held, None
        self._begin()
        for body in held or ():
            super().on_body(body)

    def _begin(self) -> None:
        """Begin the full path: as uvicorn does, but that a request waits while the last answer is not read."""
        version = self.parser.get_http_version()
        if (fault := fault_of(version, self._head)) is not None:
            raise FaultyError(fault)
        scope = self._new_scope()
        scope["method"], scope["http_version"] = self.parser.get_method().decode("ascii"), version
        parsed = httptools.parse_url(self.url)
        raw_path: bytes = parsed.path or b"/"  # an absolute address may have none
        path = raw_path.decode("ascii")
        scope["path"] = urllib.parse.unquote(path) if "%" in path else path
        scope["raw_path"], scope["query_string"] = raw_path, parsed.query or b""
        if raw_path.endswith(EVENTS):
            scope[HAND_OVER] = self.hand_over  # type: ignore[literal-required]  # for the stream alone
        kind = RequestResponseCycle if version != "1.0" else UnchunkedCycle
        cycle = self.cycle = kind(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        self._is_begun = True
        self.pipeline.appendleft((cycle, self.app))
        self._start_next()

    def _new_scope(self) -> HTTPScope:
        """Make a scope as uvicorn does where a request begins, when it is sure that one is needed."""
        read = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.headers, self.expect_100_continue = read
        self.scope["headers"] = self._head
        return self.scope

    # Answering.

    def _start_next(self) -> None:
        """Begin with the next request, unless one is in work or an answer is not read."""
        self.coalescing.flush()  # only then it is known whether the last answer found room
        if self._working is None and self.pipeline and not self.flow.write_paused:
            self._working, app = self.pipeline.pop()
            self._start_asgi_task(self._working, app)

    def on_response_complete(self) -> None:
        """Go on to what waits."""
        self.server_state.total_requests += 1
        self._working = None
        if self.transport.is_closing():
            return
        if self.pipeline:
            self._start_next()
        else:
            self._rest()
        if self.flow.is_full or self._unread:
            self.loop.call_soon(self._resume)
        elif self.flow.read_paused:
            self.flow.resume_reading()

    def _resume(self) -> None:
        if not self.transport.is_closing():
            self._read_on()
            if self._is_at_eof and self._working is None and not self.pipeline:
                self.transport.close()

    def _rest(self) -> None:
        """Everything that came is answered: wait for more, or end."""
        if self._last_words is not None:
            self._say_last_words(self._last_words)
        elif self._is_at_eof and not self._unread:
            self.transport.close()
        elif self._phase == BETWEEN:
            connections = self._all
            if connections.rests:
                connections.rests.pop(self, None)
            self._resting = connections.idle
            self._resting[self] = self.loop.time()
        elif self._phase == BODY:
            self._all.rests[self] = self.loop.time()

    def pause_writing(self) -> None:
        """Take note that answers are not read."""
        super().pause_writing()
        self._all.stuck.setdefault(self, self.loop.time())

    def resume_writing(self) -> None:
        """Go on: the answers were read."""
        super().resume_writing()
        self._all.stuck.pop(self, None)
        if not self.transport.is_closing():
            self._start_next()


def _take_none(_url: bytes, _headers: Headers, _body: bytes, _response: FastResponse) -> bool:
    return False
