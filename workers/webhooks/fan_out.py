"""The fan-out shift: gives each committed event to every endpoint that wants it, as a delivery. Sends nothing.

Owns the two outboxes' targets, replays, and what of the log is forgotten. An endpoint is given an event once, whatever
is repeated: the event's id says so. Without endpoints the shift is never started.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from db.webhooks import deliveries, endpoints, replays, world_events
from db.work.outbox import OutboxPlace
from workers.publish.outboxes import ORDER_EVENTS
from workers.publish.relay import BATCH, OutboxBatch, Relay
from workers.webhooks.events import WORLD_EVENTS, of_order

if TYPE_CHECKING:
    from db.webhooks.deliveries import Event
    from db.webhooks.replays import Replay
    from db.work.outbox import OutboxEvent
    from workers.runtime.shift import Shift

FORGET_S = 60.0
FORGET_MAX = 10_000
"""Rows of the log deleted at a time."""


class OrderEndpoints:
    """The endpoints, as a target of orders' events."""

    name = endpoints.ORDERS
    source = ORDER_EVENTS
    wait_s = 0.0

    def __init__(self, shift: Shift) -> None:
        self._shift = shift

    async def deliver(self, batch: OutboxBatch[OutboxEvent]) -> bool:
        """Make the deliveries."""
        await deliveries.fan_out(await self._shift.connection(), [of_order(event) for event in batch.rows])
        return True

    async def close(self) -> None:
        """The connection is the shift's."""


class WorldEndpoints:
    """The endpoints, as a target of what happens beside orders."""

    name = endpoints.WORLD
    source = WORLD_EVENTS
    wait_s = 0.0

    def __init__(self, shift: Shift) -> None:
        self._shift = shift

    async def deliver(self, batch: OutboxBatch[Event]) -> bool:
        """Make the deliveries."""
        await deliveries.fan_out(await self._shift.connection(), batch.rows)
        return True

    async def close(self) -> None:
        """The connection is the shift's."""


class FanOut:
    """Fans events out; see `shift.Work`."""

    full = BATCH
    paced = True
    is_busy = False

    def __init__(self, shift: Shift) -> None:
        self._shift = shift
        self._relay = Relay(shift, [OrderEndpoints(shift), WorldEndpoints(shift)], paced=True)
        self._forgot = -FORGET_S

    async def begin(self) -> None:
        """Go on behind the last event that was fanned out."""
        await self._relay.begin()

    async def step(self) -> int:
        """Fan a batch of events out, and walk a replay on."""
        await self._forget()
        return await self._walk() + await self._relay.step()

    async def end(self, *, immediately: bool) -> None:
        """Nothing is under way."""
        await self._relay.end(immediately=immediately)

    async def _walk(self) -> int:
        """Walk the oldest replay on by a batch; return how many events were looked at."""
        replay = await replays.next_replay(await self._shift.connection())
        if replay is None:
            return 0
        async with self._shift.leased_transaction() as held:
            looked, events, place = await self._read(replay)
            await deliveries.fan_out_again(held, [one for one in events if replay.has(one.at)], replay.webhook_id)
            await replays.advance(held, replay, place)
        return looked

    async def _read(self, replay: Replay) -> tuple[int, list[Event], OutboxPlace | None]:
        """Return how many events were looked at, which they are, and how far they go; None: to the end."""
        connection, limit = await self._shift.connection(), self._shift.size.now
        if replay.source == "world":
            placed = await world_events.untold(connection, replay.place, limit=limit)
            events, place = [one.event for one in placed], placed[-1].place if placed else None
        else:
            found = await replays.events(connection, replay, limit=limit)
            events, place = [of_order(event) for event in found], found[-1].place if found else None
        is_all = replay.order_id is not None or len(events) < limit
        return len(events), events, None if is_all else place

    async def _forget(self) -> None:
        """Now and then forget a part of what is older than the log is kept."""
        if time.monotonic() - self._forgot < FORGET_S:
            return
        self._forgot = time.monotonic()
        settings = self._shift.settings
        async with self._shift.leased_transaction() as held:
            for webhook_id in await endpoints.deleted(held):
                await deliveries.forget_of(held, webhook_id, limit=FORGET_MAX)
                await endpoints.forget(held, webhook_id)
            await deliveries.forget(held, older_than_s=settings.webhook_log_s, limit=FORGET_MAX)
            older_s = settings.webhook_log_s + settings.webhook_retry_for_s
            await world_events.forget(held, endpoints.WORLD, older_than_s=older_s, limit=FORGET_MAX)
