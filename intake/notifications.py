"""Wakes those who wait for an order to change. Owns the one subscription of a process; never the answer itself.

A message is only a hint: whoever waits also looks into Postgres every `LOOK_EVERY_S`, so a lost one only costs time.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from doorbuster.failures import STORE_FAILED
from doorbuster.orderstore import changes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from redis.asyncio import Redis

log = logging.getLogger("doorbuster.intake.outcomes")

LOOK_EVERY_S = 1.0
RECONNECT_S = 0.5


class Notifications:
    """Events by order, set when a message names the order."""

    def __init__(self, redis: Redis, others: Mapping[str, Callable[[bytes], None]], begun: Callable[[], None]) -> None:
        """Take what hears the messages of other channels, and what is called whenever hearing begins anew."""
        self._redis = redis
        self._others = dict(others)
        self._begun = begun
        self._watched: dict[bytes, set[asyncio.Event]] = {}
        self._followed: list[tuple[Mapping[bytes, object], Callable[[bytes], None]]] = []

    @contextmanager
    def watching(self, order_id: bytes) -> Iterator[asyncio.Event]:
        """Give an event that is set whenever the order is said to have changed."""
        event = asyncio.Event()
        self._watched.setdefault(order_id, set()).add(event)
        try:
            yield event
        finally:
            others = self._watched[order_id]
            others.discard(event)
            if not others:
                del self._watched[order_id]

    def follow(self, orders: Mapping[bytes, object], changed: Callable[[bytes], None]) -> None:
        """Tell from now on of each of these orders, whatever they come to be, that it is said to have changed."""
        self._followed.append((orders, changed))

    async def listen(self) -> None:
        """Hear messages until cancelled; a broken subscription is made again."""
        while True:
            try:
                await self._hear()
            except STORE_FAILED as error:
                log.warning("the subscription to outcomes broke", extra={"error": error})
                await asyncio.sleep(RECONNECT_S)

    async def _hear(self) -> None:
        async with changes.subscribed(self._redis) as next_message:
            self._begun()
            while True:
                message = await next_message(LOOK_EVERY_S)
                if message is not None:
                    self._take(*message)

    def _take(self, channel: str, content: bytes) -> None:
        if (take := self._others.get(channel)) is not None:
            take(content)
            return
        if not self._watched and not any(orders for orders, _ in self._followed):
            return
        for order_id in changes.ids_in(content):
            for event in self._watched.get(order_id, ()):
                event.set()
            for orders, changed in self._followed:
                if order_id in orders:
                    changed(order_id)


async def until(event: asyncio.Event, seconds: float) -> bool:
    """Wait for the event at most so long; say whether it was set, and clear it."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    event.clear()
    return True
