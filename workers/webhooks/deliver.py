"""The delivery shift: sends what is due to every endpoint, many at once, each endpoint in a lane of its own.

Owns what is in flight and which answers are not written yet. An order's events go to an endpoint one after the other:
the next is due when the one before was delivered or given up. Killed between sending and writing it sends again, under
the same id. Holds no transaction open while a receiver is waited for.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, NamedTuple

from db.webhooks import deliveries, endpoints
from db.webhooks.deliveries import Result
from workers.webhooks.bodies import DeliveryBodies
from workers.webhooks.lanes import Lane
from workers.webhooks.sending import Answer, Sender

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp.abc import AbstractResolver

    from db.webhooks.deliveries import Due
    from workers.runtime.shift import Shift

BATCH = 1_000
POLL_S = 0.05
LOOK_S = 0.5
"""How often endpoints are read anew: what ops change of one counts from then on."""
GIVE_WAY_S = 0.5
"""How long answers are waited for when the shift is to end."""
CUT_S = 2.0
"""An attempt that was waited for so long when the shift gave way has failed; a younger one is sent again."""

log = logging.getLogger("doorbuster.workers.webhooks")


class Answered(NamedTuple):
    """A delivery whose attempt has ended."""

    delivery: Due
    result: Result


class Deliver:
    """Delivers to all endpoints; see `shift.Work`."""

    full = BATCH
    paced = False

    def __init__(self, shift: Shift, resolver: AbstractResolver | None = None) -> None:
        self._shift = shift
        self._resolver = resolver
        self._sender: Sender | None = None
        self._bodies = DeliveryBodies()
        self._lanes: dict[int, Lane] = {}
        self._looked = -LOOK_S
        self._taken: set[int] = set()
        self._in_flight: dict[asyncio.Task[None], tuple[Due, str, float]] = {}
        self._answered: list[Answered] = []

    @property
    def is_busy(self) -> bool:
        """Whether receivers are waited for."""
        return bool(self._in_flight)

    async def begin(self) -> None:
        """Read the work anew. What is in flight goes on, and what was answered is still to be written."""
        self._looked = -LOOK_S
        for lane in self._lanes.values():
            self._taken.difference_update(one.delivery_id for one in lane.drop_queued())

    async def step(self) -> int:
        """Send what is due, write what was answered."""
        await self._look()
        read = await self._fill()
        self._send()
        written = await self._write()
        if not read and not written:
            await self._wait(POLL_S)
        return written

    async def end(self, *, immediately: bool) -> None:
        """Wait a moment for answers and write them; at once: leave them to the successor."""
        if not immediately:
            until = time.monotonic() + GIVE_WAY_S
            while self._in_flight and time.monotonic() < until:
                await self._wait(until - time.monotonic())
            self._cut()
            while await self._write():
                continue
        for task in self._in_flight:
            task.cancel()
        await asyncio.gather(*self._in_flight, return_exceptions=True)
        if self._sender is not None:
            await self._sender.close()

    async def _look(self) -> None:
        """Read now and then which endpoints there are."""
        if time.monotonic() - self._looked < LOOK_S:
            return
        self._looked = time.monotonic()
        there = {one.webhook_id: one for one in await endpoints.receivers(await self._shift.connection())}
        for webhook_id, receiver in there.items():
            lane = self._lanes.setdefault(webhook_id, Lane(receiver, self._shift.settings))
            lane.renew(receiver)
        for webhook_id, lane in self._lanes.items():
            if webhook_id not in there or not lane.is_open:
                self._taken.difference_update(one.delivery_id for one in lane.drop_queued())
        gone = [one for one, lane in self._lanes.items() if one not in there and not lane.taken]
        for webhook_id in gone:
            del self._lanes[webhook_id]

    async def _fill(self) -> int:
        """Read ahead for every lane that has room; return how many were new."""
        rooms = [room for lane in self._lanes.values() if (room := lane.room()) is not None]
        if not rooms or len(self._answered) >= BATCH:
            return 0
        connection = await self._shift.connection()
        found = await deliveries.due(connection, rooms)
        new = [one for one in found if one.delivery_id not in self._taken]
        if new:  # nothing is sent but under a lease that was held when it was read
            async with self._shift.leased_transaction() as held:
                await deliveries.park(held, [one.delivery_id for one in new if one.blocked])
        free = [one for one in new if not one.blocked]
        bodies = await self._bodies.make(connection, free)
        for one in free:
            lane = self._lanes[one.webhook_id]
            self._taken.add(one.delivery_id)
            lane.taken += 1
            if one.delivery_id in bodies:
                one.body = bodies[one.delivery_id]
                lane.queued.append(one)
            else:
                gone = Result(one.delivery_id, "dead", None, "what it tells of is gone", None, None)
                self._answered.append(Answered(one, gone))
        return len(new)

    def _send(self) -> None:
        for lane in self._lanes.values():
            while (delivery := lane.next()) is not None:
                assert delivery.body is not None
                if self._sender is None:
                    self._sender = Sender(self._shift.settings, self._resolver)
                task = asyncio.create_task(self._attempt(self._sender, lane, delivery, delivery.body))
                self._in_flight[task] = (delivery, delivery.body, time.monotonic())

    async def _attempt(self, sender: Sender, lane: Lane, delivery: Due, body: str) -> None:
        answer = await sender.send(lane.receiver, delivery.event_id, body)
        self._take(lane, delivery, answer, body)
        task = asyncio.current_task()
        assert task is not None
        # In the same turn of the loop: a task that has ended and is still there has failed.
        self._in_flight.pop(task, None)

    def _take(self, lane: Lane, delivery: Due, answer: Answer, body: str) -> None:
        self._answered.append(Answered(delivery, lane.answered(delivery, answer, body)))
        if answer.error is not None:
            extra = {"webhook_id": delivery.webhook_id, "event_id": delivery.event_id, "error": answer.error}
            log.info("a webhook did not take a delivery", extra=extra)

    async def _write(self) -> int:
        """Write a batch of what was answered, and what was seen of endpoints; return how many there were."""
        answered = self._answered[: self._shift.size.now]
        news = {webhook_id: lane for webhook_id, lane in sorted(self._lanes.items()) if lane.has_news}
        if not answered and not news:
            return 0
        ended = [(one.delivery.webhook_id, one.delivery.subject) for one in answered if one.result.state != "due"]
        async with self._shift.leased_transaction() as held:
            for webhook_id, lane in news.items():
                await endpoints.note_attempts(held, webhook_id, lane.attempts())
            if answered:
                await deliveries.finish(held, [one.result for one in answered])
            await deliveries.let_next_go(held, ended)
        del self._answered[: len(answered)]
        self._written(answered)
        for webhook_id, lane in news.items():
            lane.has_news = False
            if lane.state != "active":
                log.error("a webhook is no longer sent to", extra={"webhook_id": webhook_id, "reason": lane.reason})
        return len(answered)

    def _written(self, answered: Sequence[Answered]) -> None:
        for one in answered:
            self._taken.discard(one.delivery.delivery_id)
            if (lane := self._lanes.get(one.delivery.webhook_id)) is not None:
                lane.taken -= 1

    def _cut(self) -> None:
        """Count what has been waited for long as failed: a successor would wait for it as long, again and again."""
        for task, (delivery, body, began) in list(self._in_flight.items()):
            waited_s = time.monotonic() - began
            if waited_s >= CUT_S and (lane := self._lanes.get(delivery.webhook_id)) is not None:
                task.cancel()
                del self._in_flight[task]
                self._take(lane, delivery, Answer(None, f"no answer within {waited_s:.1f} s"), body)

    async def _wait(self, timeout_s: float) -> None:
        """Wait a moment for an answer or for new work."""
        if self._in_flight:
            done, _ = await asyncio.wait(self._in_flight, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        else:
            await asyncio.sleep(timeout_s)
