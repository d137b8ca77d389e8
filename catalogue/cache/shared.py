"""The cache all processes share, in the Redis role `cache`. Owns its entries' form and the scripts that guard them.

Scripts decide, so that a late fill meets the floor that an invalidation has put there meanwhile. A server that is
away is not asked again for a moment: reads go on without it. Never the truth: anything here may vanish.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from catalogue.cache.subjects import NO_FLOOR, MinVersion
from doorbuster import keys
from doorbuster.errors import StoreUnavailableError
from doorbuster.failures import REDIS_FAILED
from doorbuster.gathering import Gathering
from doorbuster.lua_script import Script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from redis.asyncio import Redis

FILL_MAX_MS = 3_000
"""A fill that began longer ago is refused: floors are kept longer than that."""
FLOOR_KEEP_MS = 15_000
PARTS_MAX = 500
"""Pages of one listing that are kept; cursors are free to choose, memory is not."""
AWAY_S = 1.0
CALLS_MAX = 48
"""Calls of a process at a time; its client has connections for more."""
LOOKS_OUT, LOOKS_MAX = 4, 64
"""Calls that look, and looks in one."""
FILLS_OUT, FILLS_MAX = 2, 64
WAIT_S = 1.0
"""How long a call waits for its turn. Too many calls are no sign of a cache that is away."""
JITTER = 0.1
_look, _set_if_newer, _invalidate = (Script.beside(__file__, verb) for verb in ("look", "set_if_newer", "invalidate"))

log = logging.getLogger("doorbuster.catalogue")


class Stored(NamedTuple):
    """A value as it lies in the cache; times by the cache's clock."""

    version: int
    body: bytes
    filled_ms: int
    expires_ms: int


class CacheLook(NamedTuple):
    """What the cache said."""

    now_ms: int
    floor: MinVersion
    stored: Stored | None
    units: int | None


class WantedEntry(NamedTuple):
    """What is looked for."""

    key: str
    part: str
    product_id: str | None


class Fill(NamedTuple):
    """What is to be stored: the script's key and arguments."""

    key: str
    terms: tuple[str | int | float | bytes, ...]


class Filled(NamedTuple):
    """What became of a fill; a floor when it was older than that."""

    stored: bool
    floor: MinVersion = NO_FLOOR


class SharedCache:
    """Reads, fills and invalidates."""

    def __init__(self, redis: Redis, *, keep_s: float) -> None:
        self._redis = redis
        self._keep_ms = keep_s * 1000
        self._away_until = 0.0
        self._turns = asyncio.Semaphore(CALLS_MAX)
        self._looks: Gathering[WantedEntry, CacheLook | None] = Gathering(self._look, calls=LOOKS_OUT, most=LOOKS_MAX)
        self._fills: Gathering[Fill, Filled] = Gathering(self._fill, calls=FILLS_OUT, most=FILLS_MAX)

    async def look(self, subject: str, part: str, product_id: str | None = None) -> CacheLook | None:
        """Return what is there, and a product's units left; None when the cache is away.

        Raises:
            StoreUnavailableError: too many calls wait for their turn.
        """
        if time.monotonic() < self._away_until:
            return None
        return await self._looks.get(WantedEntry(keys.catalogue(subject), part, product_id))

    async def _look(self, wanted: Sequence[WantedEntry]) -> Sequence[CacheLook | None]:
        """Look for several in one call."""
        await self._turn()
        try:
            found, units = await self._ask(wanted)
        except REDIS_FAILED as error:
            await self._stay_away(error)
            return [None] * len(wanted)
        finally:
            self._turns.release()
        return [
            CacheLook(now_ms, MinVersion(version, lsn), _read(value) if value else None, units.get(one.product_id))
            for one, (now_ms, version, lsn, value) in zip(wanted, found, strict=True)
        ]

    async def _ask(self, wanted: Sequence[WantedEntry]) -> tuple[list[Any], dict[str | None, int]]:
        """Return what is there, and the units left of products of which they were told."""
        counted = [one.product_id for one in wanted if one.product_id is not None]
        if len(wanted) == 1 and not counted:
            return [await _look.run(self._redis, [wanted[0].key], wanted[0].part)], {}
        calls = [([one.key], [one.part]) for one in wanted]
        more = [lambda pipe: pipe.hmget(keys.UNITS, counted)] if counted else []
        said = await _look.run_each(self._redis, calls, *more)
        found, told = said[: len(wanted)], said[-1] if counted else ()
        return found, {one: int(units) for one, units in zip(counted, told, strict=True) if units is not None}

    async def units(self, product_ids: Sequence[str]) -> tuple[int | None, ...]:
        """Return the units left of several products, as far as told; nothing when the cache cannot say."""
        if not product_ids or time.monotonic() < self._away_until:
            return ()
        try:
            await self._turn()
        except StoreUnavailableError:
            return ()
        try:
            told = await self._redis.hmget(keys.UNITS, list(product_ids))
        except REDIS_FAILED as error:
            await self._stay_away(error)
            return ()
        finally:
            self._turns.release()
        return tuple(None if units is None else int(units) for units in told)

    async def fill(self, subject: str, part: str, began_ms: int, version: int, body: bytes) -> Filled:
        """Store what was read, unless it is older than something there."""
        ttl_ms = int(self._keep_ms * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311 - no secret
        terms = (part, version, began_ms, FILL_MAX_MS, ttl_ms, PARTS_MAX + 2, body)
        return await self._fills.get(Fill(keys.catalogue(subject), terms))

    async def _fill(self, fills: Sequence[Fill]) -> Sequence[Filled]:
        """Store several in one call."""
        try:
            await self._turn()
        except StoreUnavailableError:
            return [Filled(stored=False)] * len(fills)
        try:
            verdicts = await self._store(fills)
        except REDIS_FAILED as error:
            await self._stay_away(error)
            return [Filled(stored=False)] * len(fills)
        finally:
            self._turns.release()
        return [_filled(verdict) for verdict in verdicts]

    async def _store(self, fills: Sequence[Fill]) -> list[Any]:
        if len(fills) == 1:
            return [await _set_if_newer.run(self._redis, [fills[0].key], *fills[0].terms)]
        return await _set_if_newer.run_each(self._redis, [([one.key], one.terms) for one in fills])

    async def invalidate(self, floors: Mapping[str, MinVersion]) -> None:
        """Put floors under subjects, then tell every process of them.

        Raises:
            StoreUnavailableError: the cache did not take all of them.
        """
        try:
            calls = [([keys.catalogue(subject)], [*floor, FLOOR_KEEP_MS]) for subject, floor in floors.items()]
            await _invalidate.run_each(self._redis, calls)
            await self._redis.publish(keys.CHANGES, encode(floors))  # behind the floors, whichever servers they are on
        except REDIS_FAILED as error:
            raise StoreUnavailableError("the cache did not take the invalidation") from error

    async def _turn(self) -> None:
        if not self._turns.locked():
            await self._turns.acquire()
            return
        try:
            async with asyncio.timeout(WAIT_S):
                await self._turns.acquire()
        except TimeoutError as error:
            raise StoreUnavailableError("too many reads wait for the cache; try again") from error

    async def _stay_away(self, error: Exception) -> None:
        if time.monotonic() < self._away_until:
            return
        self._away_until = time.monotonic() + AWAY_S
        log.warning("the cache does not answer; reads go on without it", extra={"error": error})
        # The idle connections are as broken: each of them would be found out one by one, and keep us away again.
        with suppress(*REDIS_FAILED):
            await self._redis.connection_pool.disconnect(inuse_connections=False)


def encode(floors: Mapping[str, MinVersion]) -> bytes:
    """Return a message of the channel."""
    return msgspec.msgpack.encode(floors)


_message = msgspec.msgpack.Decoder(dict[str, MinVersion])


def decode(message: bytes) -> dict[str, MinVersion]:
    """Return what a message of the channel says."""
    return _message.decode(message)


def _filled(verdict: Any) -> Filled:
    if verdict[0] == 0:
        return Filled(stored=False, floor=MinVersion(verdict[1], verdict[2]))
    return Filled(stored=verdict[0] == 1)


def _read(value: bytes) -> Stored:
    version, filled_ms, expires_ms, body = value.split(b" ", 3)
    return Stored(int(version), body, int(filled_ms), int(expires_ms))
