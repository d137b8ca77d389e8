"""`GET /orders/{id}/events`: an order's events as server-sent events. Owns a stream's beginning; the hub does the rest.

The task of the request ends when the stream has begun: its connection is handed over to the hub. Under a server that
has no such thing the task stays, and passes on what the hub tells it. A stream ends after a final state, after
`STREAM_S`, and when the process stops; the browser comes back with `Last-Event-ID` and misses nothing.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from db.orders.states import FINAL
from intake.orders.access import found_for
from intake.orders.lookup import order_id_of
from intake.server.asgi import HAND_OVER
from intake.web.problems import RefusedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from falcon.asgi import Request, Response

    from intake.orders.access import OrderAccess
    from intake.orders.event_hub import EventHub
    from intake.orders.lookup import OrderReader
    from intake.server.asgi import Scope
    from intake.server.connection.streamed_response import StreamedResponse
    from intake.server.guard import Guard

BEGINNING = b"retry: 1000\n\n"
SEQ_MAX = 32_767


class OrderEvents:
    """Resource of an order's event stream."""

    streams = True
    """It has no HEAD: a stream's head is of no use without the stream."""

    def __init__(self, reader: OrderReader, owners: OrderAccess, hub: EventHub, *, guard: Guard) -> None:
        self._reader = reader
        self._owners = owners
        self._hub = hub
        self._guard = guard

    async def on_get(self, req: Request, resp: Response, order: str) -> None:
        """Stream the order's events behind `Last-Event-ID`."""
        order_id = order_id_of(order)
        after = _last_event_id(req)
        view = await found_for(req, order, self._reader, self._owners)
        if view.status in FINAL and await self._reader.version_of(order_id) <= after:
            resp.status = 204  # all was told: tells an EventSource not to come back
            return
        if self._hub.is_full or not self._guard.count_as_waiting(req.scope):
            raise RefusedError("overloaded", "Too many streams are open; try again soon")
        resp.set_header("Cache-Control", "no-store")
        resp.set_header("X-Accel-Buffering", "no")
        resp.sse = self._stream(req.scope, order_id, after)  # type: ignore[assignment]  # of parts that serialize alike

    async def _stream(self, scope: Scope, order_id: UUID, after: int) -> AsyncIterator[_Part]:
        yield _Part(BEGINNING)  # and with it the head, which is the framework's
        hand_over = scope.pop(HAND_OVER, None)
        response: StreamedResponse | None = None if hand_over is None else hand_over()
        if response is not None:
            self._guard.go_on_waiting(scope)
            self._leave(response, order_id, after)
            return
        queued = _Queued()
        listener = self._hub.add(order_id, after, queued)
        try:
            while (data := await queued.parts.get()) is not None:
                queued.unread -= len(data)
                yield _Part(data)
        finally:
            self._hub.forget(listener)

    def _leave(self, response: StreamedResponse, order_id: UUID, after: int) -> None:
        """Leave a stream to the hub."""
        hub = self._hub
        listener = hub.add(order_id, after, response, over=self._guard.stop_waiting)
        response.gone = lambda: hub.forget(listener)
        response.stop = lambda: hub.end(listener)


class _Part:
    """Bytes of a stream, where the framework expects one of its own events."""

    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        self._data = data

    def serialize(self, _handler: Any = None) -> bytes:
        """Return them."""
        return self._data


class _Queued:
    """What the hub tells a stream that has a task."""

    def __init__(self) -> None:
        self.parts: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.unread = 0

    def write(self, data: bytes) -> int:
        """Pass bytes to the task."""
        self.unread += len(data)
        self.parts.put_nowait(data)
        return self.unread

    def end(self) -> None:
        """Let the task end."""
        self.parts.put_nowait(None)

    abort = end


def _last_event_id(req: Request) -> int:
    text = req.get_header("Last-Event-ID") or "0"
    return min(int(text), SEQ_MAX) if text.isascii() and text.isdigit() and len(text) <= 10 else 0
