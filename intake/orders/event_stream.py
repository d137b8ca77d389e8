"""`GET /orders/{id}/events`: an order's transitions as server-sent events. Owns the stream's life; writes nothing.

A stream ends after a final state, after `STREAM_S`, and when the process stops; the browser comes back by itself with
`Last-Event-ID` and misses nothing.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import msgspec
from falcon.asgi import SSEvent
from msgspec import UNSET

from db.orders.states import FINAL
from doorbuster.contract.orders import TransitionEvent
from doorbuster.failures import STORE_FAILED
from intake.notifications import LOOK_EVERY_S, until
from intake.orders.access import found_for
from intake.orders.lookup import order_id_of
from intake.orders.shared_reads import till_tick
from intake.web.problems import RefusedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from falcon.asgi import Request, Response

    from db.orders.orders import OrderEvent
    from intake.notifications import Notifications
    from intake.orders.access import OrderAccess
    from intake.orders.lookup import OrderReader
    from intake.orders.shared_reads import SharedLooks
    from intake.server.guard import Guard

log = logging.getLogger("doorbuster.intake.events")

STREAM_S = 300.0
HEARTBEAT_S = 10.0
RETRY_MS = 1000
SEQ_MAX = 32_767
_encode = msgspec.json.Encoder().encode


class OrderEvents:
    """Resource of an order's event stream."""

    streams = True
    """It has no HEAD: a stream's head is of no use without the stream."""

    def __init__(
        self, reader: OrderReader, owners: OrderAccess, looks: SharedLooks, *, outcomes: Notifications, guard: Guard
    ) -> None:
        self._reader = reader
        self._owners = owners
        self._looks = looks
        self._outcomes = outcomes
        self._guard = guard

    async def on_get(self, req: Request, resp: Response, order: str) -> None:
        """Stream the order's transitions behind `Last-Event-ID`."""
        order_id = order_id_of(order)
        after = _last_event_id(req)
        view = await found_for(req, order, self._reader, self._owners)
        if view.status in FINAL and len(view.history) <= after:
            resp.status = 204  # all was told: tells an EventSource not to come back
            return
        if not self._guard.count_as_waiting(req.scope):
            raise RefusedError("overloaded", "Too many streams are open; try again soon")
        resp.set_header("Cache-Control", "no-store")
        resp.set_header("X-Accel-Buffering", "no")
        resp.sse = self._stream(order_id, after)

    async def _stream(self, order_id: UUID, seq: int) -> AsyncIterator[SSEvent | None]:
        loop = asyncio.get_running_loop()
        ends, beat = loop.time() + STREAM_S, loop.time() + HEARTBEAT_S
        yield SSEvent(retry=RETRY_MS)
        with self._outcomes.watching(order_id.bytes) as changed:
            while loop.time() < ends and not self._guard.stopping:
                for event in await self._behind(order_id, seq):
                    seq, beat = event.seq, loop.time() + HEARTBEAT_S
                    yield SSEvent(data=_data(order_id, event), event="transition", event_id=str(seq))
                    if event.status in FINAL:
                        return
                if loop.time() >= beat:
                    beat = loop.time() + HEARTBEAT_S
                    yield SSEvent(comment="still here")
                await until(changed, till_tick(order_id, loop.time(), LOOK_EVERY_S))

    async def _behind(self, order_id: UUID, seq: int) -> list[OrderEvent]:
        try:
            return await self._looks.behind(order_id, seq)
        except STORE_FAILED as error:  # the stream stays open; the next look finds what came meanwhile
            log.info("events cannot be read", extra={"order_id": str(order_id), "error": repr(error)})
            return []


def _data(order_id: UUID, event: OrderEvent) -> bytes:
    return _encode(TransitionEvent(str(order_id), event.seq, event.status.value, event.at, event.reason or UNSET))


def _last_event_id(req: Request) -> int:
    text = req.get_header("Last-Event-ID") or "0"
    return min(int(text), SEQ_MAX) if text.isascii() and text.isdigit() and len(text) <= 10 else 0
