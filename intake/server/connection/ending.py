"""How a connection ends: behind the answers that are due, the last of which is read. Owns no request's meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from intake.server.asgi import HAND_OVER
from intake.server.connection.early_response import last_words
from intake.server.connection.framing import FramingFault
from intake.server.connection.streamed_response import StreamedResponse
from intake.server.connection.unchunked import UnchunkedCycle

if TYPE_CHECKING:
    from intake.server.asgi import Headers
    from intake.server.connection.connections import ConnectionBounds, Connections
    from intake.server.connection.fast_response import FastResponse, Flow, WriteCoalescingTransport
    from intake.server.connection.unread import UnparsedBytes

    Work = FastResponse | StreamedResponse | RequestResponseCycle

BETWEEN, HEAD, BODY, ENDED = range(4)
"""Where in a message the parser stands; `ENDED`: nothing more is parsed."""


class ClosableProtocol(HttpToolsProtocol):
    """The part of the protocol that ends connections, and what it must know to do so."""

    app: Any
    flow: Flow
    _held: list[bytes] | None = None
    """Pieces of the body that may take the fast path, while the request is being read."""
    _working: Work | None = None
    """What is being answered; what waits behind it is in `pipeline`."""
    coalescing: WriteCoalescingTransport
    _all: Connections
    _bounds: ConnectionBounds
    _unread: UnparsedBytes
    _phase = BETWEEN
    _head: Headers
    """The head of the message that is being read; trailers are not among it."""
    _is_begun = False
    """There is a cycle for the message that is being read."""
    _is_upgrading = False
    _is_at_eof = False
    _thrown = 0
    """Bytes thrown away behind the last answer."""
    _last_words: FramingFault | None = None

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        """Let a connection go, and tell whoever works for it."""
        self.connections.discard(self)
        self._all.forget(self)
        self._unread.drop()
        self._phase = ENDED
        self.pipeline.clear()
        for response in (self._working, self.cycle):
            if response is not None and not response.response_complete:
                response.disconnected = True
                response.message_event.set()
        self.flow.resume_writing()
        self.parser = None  # type: ignore[assignment]
        if self.scope is not None:  # there is none where no request ever began
            self.scope.pop(HAND_OVER, None)  # type: ignore[misc]  # which names this connection

    def eof_received(self) -> bool:  # type: ignore[override]
        """Answer what was asked, although nothing more will be; False closes the connection."""
        self._is_at_eof = True
        if self._phase in (HEAD, BODY):
            self._drop_unfinished()
            self._phase = ENDED
        if self._working is not None and self._working.response_started:
            return False  # a stream: who reads it keeps its own half open
        return self._working is not None or bool(self.pipeline) or bool(self._unread)

    def head_is_late(self) -> None:
        """Give up a head that takes too long."""
        self._end(FramingFault("request_timeout", f"The head did not arrive within {self._bounds.head_s:g} s"))

    def shutdown(self) -> None:
        """End the connection once what came is answered."""
        if self._working is None and not self.pipeline:
            self.transport.close()
            return
        self.cycle.keep_alive = False
        if isinstance(self._working, StreamedResponse):
            self._working.stop()

    def hand_over(self) -> StreamedResponse | None:
        """Take the answer that is being sent, and of which more is to come, out of its task's hands.

        What the task still says is dropped, and it may end. None: the answer cannot be had, or nobody is there.
        """
        cycle = self._working
        if not isinstance(cycle, RequestResponseCycle) or cycle.more_body:
            return None
        is_chunked = bool(cycle.chunked_encoding)
        if not is_chunked and not (isinstance(cycle, UnchunkedCycle) and cycle.ends_with_connection):
            return None
        if cycle.disconnected or cycle.response_complete or self.transport.is_closing():
            return None
        cycle.disconnected = True
        response = self._working = StreamedResponse(self, keep_alive=cycle.keep_alive, is_chunked=is_chunked)
        if self.cycle is cycle and self._phase == BETWEEN:  # what is held for minutes holds little
            self.cycle = response  # type: ignore[assignment]  # stands for one
            self.scope, self.headers, self._head = {}, [], []  # type: ignore[typeddict-item]
        return response

    def finish(self) -> None:
        """Close, whatever is still being sent."""
        self._all.closing[self] = self.loop.time()
        self.coalescing.finish()

    def _lingers(self) -> bool:
        """Take note that the last answer was written; say whether more of the request may be on its way."""
        lingers = (self._phase in (BODY, ENDED) or bool(self._unread)) and not self._is_at_eof
        self._phase = ENDED
        self._unread.drop()
        if self in self._all.open:
            (self._all.lingering if lingers else self._all.closing)[self] = self.loop.time()
        if lingers:
            self.flow.is_full = False
            self.flow.resume_reading()
        return lingers

    def _drop_unfinished(self) -> RequestResponseCycle | None:
        """Let a request go that will never be whole; return its cycle, if it has one."""
        self._held, self._is_upgrading = None, False
        self._all.heads.pop(self, None)
        self._all.rests.pop(self, None)
        if self._phase != BODY or not self._is_begun:
            return None
        if self.pipeline and self.pipeline[0][0] is self.cycle:
            self.pipeline.popleft()
        elif self._working is self.cycle:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            self._working = None
        return self.cycle

    def _end(self, fault: FramingFault) -> None:
        """Read nothing more; say why behind the answers that are due, and close."""
        if self._phase == ENDED:
            return
        dropped = self._drop_unfinished()
        self._phase = ENDED
        self._unread.drop()
        if dropped is not None and dropped.response_started:  # a second answer would be taken for another request's
            self.transport.close() if dropped.response_complete else self.transport.abort()
            return
        self._last_words = fault
        self._all.refused[fault.code] += 1
        if self._working is None and not self.pipeline:
            self._say_last_words(fault)

    def _say_last_words(self, fault: FramingFault) -> None:
        """Answer what is no request."""
        self.coalescing.write(last_words(fault))
        self.coalescing.close()
