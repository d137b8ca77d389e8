"""`GET /ops/sales/{sale}/live`: how a sale goes, once or as a stream, an event a second. Owns the resource alone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec

from doorbuster.errors import InvalidError
from intake.ops.live.history import HISTORY_MAX_S
from intake.web.problems import RefusedError
from intake.web.query_parameters import refuse_unknown_params
from intake.web.responses import write

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from falcon.asgi import Request, Response

    from doorbuster.contract.night.live import LiveView
    from intake.ops.live.desk import LiveDesk
    from intake.sales.cache import CachedSale, Sales
    from intake.server.guard import Guard

EVENT_STREAM = "text/event-stream"
STREAM_S = 300.0
"""How long a stream goes on; an EventSource comes back by itself, and its key is looked at again."""
LISTENERS_MAX = 200
"""Streams of one process."""
STEP_S = 0.5
"""How soon a stream hears that the process ends."""
_BEGINNING = b"retry: 2000\n\n"
_encode = msgspec.json.Encoder().encode


class ShowLive:
    """Resource of how a sale goes."""

    def __init__(self, sales: Sales, desk: LiveDesk, guard: Guard) -> None:
        self._sales, self._desk, self._guard = sales, desk, guard

    async def on_get(self, req: Request, resp: Response, sale: str) -> None:
        """Show it; what cannot be known now is null, and `troubles` says why."""
        refuse_unknown_params(req, "history_s")
        seconds = _history_s(req)
        cached = await self._sales.get(sale)
        if cached is None:
            raise RefusedError("sale_not_found", f"There is no sale {sale[:64]!r}")
        resp.set_header("Cache-Control", "no-store")
        resp.set_header("Vary", "Accept")
        if EVENT_STREAM not in (req.get_header("Accept") or ""):
            write(resp, await self._shown(cached, seconds))
            return
        if self._desk.listeners >= LISTENERS_MAX or not self._guard.count_as_waiting(req.scope):
            raise RefusedError("overloaded", "Too many streams are open; try again soon")
        resp.set_header("X-Accel-Buffering", "no")
        resp.sse = self._stream(cached, seconds)  # type: ignore[assignment]  # of parts that serialize alike

    async def _shown(self, cached: CachedSale, seconds: int) -> LiveView:
        view = await self._desk.show(cached)
        if not seconds:
            return view
        past = await self._desk.history.of(cached.number, seconds)
        return msgspec.structs.replace(view, history=past or [])

    async def _stream(self, cached: CachedSale, seconds: int) -> AsyncIterator[_Part]:
        one = self._desk.begin_listening(cached)
        try:
            yield _Part(_BEGINNING)
            yield _event(_encode(await self._shown(cached, seconds)))
            ends_at = time.monotonic() + STREAM_S
            while time.monotonic() < ends_at and not self._guard.stopping:
                if (told := await self._desk.next_of(one, within_s=STEP_S)) is not None:
                    yield _event(told)
        finally:
            self._desk.end_listening(one)


class _Part:
    """Bytes of a stream, where the framework expects one of its own events."""

    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        self._data = data

    def serialize(self, _handler: Any = None) -> bytes:
        """Return them."""
        return self._data


def _event(body: bytes) -> _Part:
    return _Part(b"data: %b\n\n" % body)


def _history_s(req: Request) -> int:
    text = req.get_param("history_s")
    if text is None:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= HISTORY_MAX_S):
        raise InvalidError("history_s is out of bounds", [("history_s", f"must be from 1 to {HISTORY_MAX_S} seconds")])
    return int(text)
