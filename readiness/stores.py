"""Looks at every store that Doorbuster works on, for status and pre-warm. Owns clients of its own; changes nothing.

Each look is bounded, and all go on at once: an answer comes within `LOOK_S` whatever is away.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from db import status
from doorbuster.failures import STORE_FAILED
from doorbuster.redis_clients import plain_client
from doorbuster.redis_roles.age import age_s, clock_s

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from db.connections.pool import Connection
    from doorbuster.settings import Settings

    Reading = Callable[[], AbstractAsyncContextManager[Connection]]
    """Lends a connection for a short read."""

Check = dict[str, Any]

LOOK_S = 2.5
NAMES = {
    "postgres": "Postgres",
    "orders_store": "the order store",
    "room_store": "the room's store",
    "jobs_store": "the jobs store",
    "cache": "the cache",
}
"""Check -> the store as people call it."""


class StoreChecks:
    """Asks every store how it is."""

    def __init__(self, settings: Settings, reading: Reading, faults: Callable[[], str] = str) -> None:
        """Take what lends a connection, and what says how the order store is less durable than it must be."""
        self._reading, self._faults = reading, faults
        urls = {
            "orders_store": settings.orders_redis_url,
            "room_store": settings.room_redis_url,
            "jobs_store": settings.jobs_redis_url,
            "cache": settings.cache_redis_url,
        }
        self.redis = {
            name: plain_client(url.get_secret_value(), timeout_s=LOOK_S, connections=4) for name, url in urls.items()
        }

    async def close(self) -> None:
        """Close the connections."""
        for client in self.redis.values():
            await client.aclose()

    async def look(self) -> dict[str, Check]:
        """Return each store's state: `ok`, how long it took, how long the server has been up, or the reason."""
        looks = {"postgres": self._postgres} | {
            name: (lambda client=client: age_s(client)) for name, client in self.redis.items()
        }
        results = await asyncio.gather(*(_bounded(NAMES[name], look) for name, look in looks.items()))
        checks = dict(zip(looks, results, strict=True))
        if checks["orders_store"]["ok"] and (faults := self._faults()):
            checks["orders_store"] |= {"ok": False, "reason": f"the order store is not durable: {faults}"}
        return checks

    async def check(self, name: str) -> Check:
        """Return the state of one Redis store."""
        return await _bounded(NAMES[name], lambda: age_s(self.redis[name]))

    async def clocks(self) -> dict[str, float]:
        """Return by how many seconds the clocks of Postgres, order store and room's store are ahead of this process's.

        What the question took is allowed for; what does not answer is left out.
        """
        clocks = {"postgres": self._postgres_clock} | {
            name: (lambda client=self.redis[name]: clock_s(client)) for name in ("orders_store", "room_store")
        }
        ahead_s: dict[str, float] = {}
        for name, clock in clocks.items():
            began = time.time()
            try:
                async with asyncio.timeout(LOOK_S):
                    shown = await clock()
            except STORE_FAILED:  # whether it answers is another check's matter
                continue
            ended = time.time()
            ahead_s[name] = round(max(0.0, shown - ended) + min(0.0, shown - began), 3)
        return ahead_s

    async def _postgres(self) -> float:
        async with self._reading() as connection:
            return await status.server_age_s(connection)

    async def _postgres_clock(self) -> float:
        async with self._reading() as connection:
            return (await status.server_clock(connection)).timestamp()


async def _bounded(name: str, look: Callable[[], Awaitable[float]]) -> Check:
    began = time.monotonic()
    try:
        async with asyncio.timeout(LOOK_S):
            age_s = await look()
    except STORE_FAILED as error:
        return {"ok": False, "reason": f"{name} does not answer: {_words(error)}"}
    return {"ok": True, "took_ms": round((time.monotonic() - began) * 1000, 1), "age_s": round(age_s)}


def _words(error: Exception) -> str:
    return f"no answer within {LOOK_S:g} s" if isinstance(error, TimeoutError) else type(error).__name__
