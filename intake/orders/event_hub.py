"""Tells thousands of listeners what happens to their orders, without a task or a look of their own. Owns who listens.

It hears from the process's subscription which orders changed, reads what is new of all of them together, and writes it
to the listeners' connections. Messages are only hints: every order is looked at every `LOOK_EVERY_S` as well, a part of
them at each tick. One timer looks after heartbeats and ends. Changes no order, and keeps nothing of one.
"""

from __future__ import annotations

import asyncio
import logging
from itertools import islice
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

import msgspec
from msgspec import UNSET

from db.orders.orders import events_behind
from db.orders.states import FINAL
from doorbuster.contract.orders import LineUnits, TransitionEvent
from doorbuster.failures import STORE_FAILED
from intake.notifications import LOOK_EVERY_S, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from db.orders.orders import OrderEvent
    from intake.database import Database

log = logging.getLogger("doorbuster.intake.events")

STREAM_S = 300.0
HEARTBEAT_S = 10.0
TICKS = 4
"""Ticks between two looks at an order; which of them is its own says its id, so that not all come at once."""
PAUSE_S = 0.05
"""How long a change waits for others to be read with it."""
ORDERS_MAX = 500
"""Orders in one look."""
UNREAD_MAX = 16 * 1024
"""Bytes that a listener may leave unread in this process; past it the connection is ended. An event has some 150."""
HEARTBEAT = b": still here\n\n"
TRANSITION = "transition"
_encode = msgspec.json.Encoder().encode


def _nothing() -> None:
    pass


class Sink(Protocol):
    """Where the bytes of a stream go."""

    def write(self, data: bytes) -> int:
        """Send bytes; return how many are unread."""

    def end(self) -> None:
        """End the stream as a whole one."""

    def abort(self) -> None:
        """End it at once."""


class Listener:
    """One stream: which order it is about, and up to which event it was told."""

    __slots__ = ("order_id", "over", "seq", "sink")

    def __init__(self, order_id: bytes, seq: int, sink: Sink, over: Callable[[], None]) -> None:
        self.order_id = order_id
        self.seq = seq
        self.sink = sink
        self.over = over
        """Called once, however it comes to its end."""


class EventHub:
    """All event streams of a process."""

    def __init__(self, database: Database, is_stopping: Callable[[], bool], *, most: int) -> None:
        """Take where events are read, what says that the process ends, and how many listeners there may be."""
        self._database = database
        self._is_stopping = is_stopping
        self._most = most
        self.by_order: dict[bytes, list[Listener]] = {}
        self._ends: dict[Listener, float] = {}
        """When each listener's time is over; whose is over first stands in front."""
        self._quiet: dict[Listener, float] = {}
        """When each was written to last; who was not for longest stands in front."""
        self._changed: set[bytes] = set()
        self._wake = asyncio.Event()
        self._tick_number = 0
        self.looks = 0

    def __len__(self) -> int:
        """Return how many listen."""
        return len(self._ends)

    @property
    def is_full(self) -> bool:
        """Whether no more may listen."""
        return len(self._ends) >= self._most

    def add(self, order_id: UUID, seq: int, sink: Sink, *, over: Callable[[], None] = _nothing) -> Listener:
        """Tell somebody from now on what comes behind an order's `seq`-th event; `over` is called when that ends."""
        now = asyncio.get_running_loop().time()
        listener = Listener(order_id.bytes, seq, sink, over)
        self.by_order.setdefault(listener.order_id, []).append(listener)
        self._ends[listener], self._quiet[listener] = now + STREAM_S, now
        self.changed(listener.order_id)
        return listener

    def forget(self, listener: Listener) -> None:
        """Tell somebody nothing more; again changes nothing."""
        if self._ends.pop(listener, None) is None:
            return
        del self._quiet[listener]
        others = self.by_order[listener.order_id]
        others.remove(listener)
        if not others:
            del self.by_order[listener.order_id]
        listener.over()

    def end(self, listener: Listener) -> None:
        """End a stream."""
        self.forget(listener)
        listener.sink.end()

    def changed(self, order_id: bytes) -> None:
        """Read an order's events soon."""
        self._changed.add(order_id)
        self._wake.set()

    async def run(self) -> None:
        """Tell until cancelled."""
        loop = asyncio.get_running_loop()
        every_s = LOOK_EVERY_S / TICKS
        due = loop.time() + every_s
        while True:
            if await until(self._wake, max(0.0, due - loop.time())):
                await asyncio.sleep(PAUSE_S)
            if loop.time() >= due:
                self._tick(loop.time())
                due = loop.time() + every_s
            await self._look()

    def _tick(self, now: float) -> None:
        if self._is_stopping():
            for listener in list(self._ends):
                self.end(listener)
            return
        while self._ends and self._ends[front := next(iter(self._ends))] <= now:
            self.end(front)
        while self._quiet and self._quiet[front := next(iter(self._quiet))] + HEARTBEAT_S <= now:
            self._write(front, HEARTBEAT, now)
        self._tick_number = (self._tick_number + 1) % TICKS
        self._changed.update(one for one in self.by_order if one[-1] % TICKS == self._tick_number)

    async def _look(self) -> None:
        """Read what is new of the orders that may have changed, some at a time, and tell it."""
        changed, self._changed = self._changed, set()
        while changed:
            batch = list(islice(changed, ORDERS_MAX))
            changed.difference_update(batch)
            known = {UUID(bytes=one): _least(self.by_order[one]) for one in batch if one in self.by_order}
            if not known:
                continue
            self.looks += 1
            try:
                async with self._database.reading("events") as connection:
                    found = await events_behind(connection, known)
            except STORE_FAILED as error:  # streams stay open; the next look finds what came meanwhile
                log.info("events cannot be read", extra={"error": error})
                return
            now = asyncio.get_running_loop().time()
            for order_id, events in found.items():
                self._tell(order_id, events, now)

    def _tell(self, order_id: UUID, events: list[OrderEvent], now: float) -> None:
        written = [(event.seq, written_of(order_id, event)) for event in events]
        is_final = events[-1].status in FINAL
        for listener in list(self.by_order.get(order_id.bytes, ())):
            new = b"".join(data for seq, data in written if seq > listener.seq)
            listener.seq = max(listener.seq, events[-1].seq)
            if new:
                self._write(listener, new, now)
            if is_final and listener in self._ends:
                self.end(listener)

    def _write(self, listener: Listener, data: bytes, now: float) -> None:
        del self._quiet[listener]
        self._quiet[listener] = now
        if listener.sink.write(data) > UNREAD_MAX:
            log.info("event stream dropped: its reader does not read")
            self.forget(listener)
            listener.sink.abort()


def _least(listeners: Iterable[Listener]) -> int:
    return min(listener.seq for listener in listeners)


def written_of(order_id: UUID, event: OrderEvent) -> bytes:
    """Return an event as it stands in a stream: by its kind, or as a transition."""
    lines = [LineUnits(one.line, one.quantity) for one in event.lines]
    told = TransitionEvent(
        str(order_id), event.seq, event.status.value, event.at, event.reason or UNSET, lines or UNSET
    )
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (event.seq, (event.kind or TRANSITION).encode(), _encode(told))
