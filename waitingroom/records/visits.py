"""What a room remembers of visits when its sale is over: who joined, was let in and ordered when. Owns the reading.

The scripts note them (scripts/shared/visits.lua): all of the first 32,768, then an even sample, ever thinner. What is
read here is one even sample of all visits, or all of them. Changes nothing but how long the stream is kept.
"""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from doorbuster import keys
from doorbuster.errors import StoreUnavailableError
from doorbuster.failures import REDIS_FAILED
from waitingroom.polling import Poll, eta_range_s, eta_s, paces
from waitingroom.room_store import keys_of
from waitingroom.script_loader import Scripts
from waitingroom.shuffle import place_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from redis.asyncio import Redis

EXACT = 32_768
"""So many visits are noted whole; as in scripts/shared/visits.lua."""
PAGE = 5_000
KEEP_S = 30 * 86_400
_POLL = Poll()
_JOINED, _ADMITTED, _BYPASSED, _ORDERED = b"j", b"a", b"b", b"o"
_PACED = b"p"
_ENTRY, _POSITION, _PACE = struct.Struct(">cIIB"), struct.Struct(">I"), struct.Struct(">ffH")
_TIMES, _AHEAD_MS = 2**40, 86_400_000
"""How many moments an entry tells apart, and how far behind a room's last one any may be: a clock may go back."""
_NUMBER_BEFORE, _TOLD_BEFORE = slice(1, 6), struct.Struct(">IffH")


@dataclass(frozen=True, slots=True)
class Told:
    """What a visitor could reckon its wait from when it joined."""

    position: int
    pace_per_s: float
    rate_per_s: float
    samples: int

    @property
    def eta_s(self) -> float | None:
        """The seconds that the wait was said to take; None: nothing could be said."""
        return eta_s(self.position, self.pace_per_s)

    @property
    def range_s(self) -> tuple[float, float] | None:
        """The least and the most of them, as the page shows it."""
        return eta_range_s(self.position, paces(self.pace_per_s, self.rate_per_s, self.samples))

    @property
    def look_s(self) -> float:
        """The longest time between two looks of who waits so long: until the next one nobody knows of the turn."""
        most = 0.0 if self.range_s is None else self.range_s[1]
        return min(max(_POLL.min_s, most * _POLL.share), _POLL.max_s) * (1 + _POLL.jitter)


@dataclass(slots=True)
class Visit:
    """One place in the queue, and what became of it."""

    number: int
    place: int
    joined_ms: int | None = None
    told: Told | None = None
    """None: it joined before the start, when nobody had a place."""
    admitted_ms: int | None = None
    turn: int = 0
    """Its place among the admissions that were noted."""
    bypassed: bool = False
    ordered_ms: int | None = None


@dataclass(frozen=True, slots=True)
class RoomFigures:
    """What a room counted, whatever was noted of single visits."""

    joined: int
    admitted: int
    bypassed: int
    lapsed: int
    left: int
    ordered: int
    expired: int
    throttled: int


@dataclass(frozen=True, slots=True)
class VisitRecords:
    """What is known of a room's visits."""

    counts: RoomFigures
    step: int
    """One of so many visits is here; 1: all are."""
    visits: list[Visit]


def step_of(number: int) -> int:
    """Return one of how many visits is noted at this number, as the scripts reckon it."""
    step, bound = 1, EXACT
    while number > bound:
        step, bound = step * 2, bound * 2
    return step


async def read(redis: Redis, sale_number: int, *, timeout_s: float) -> VisitRecords | None:
    """Return what is known of a sale's visits; None: the store knows no such room.

    Raises:
        StoreUnavailableError: the room's store does not answer in time.
    """
    scripts = Scripts(redis, timeout_s=timeout_s)
    seed, *rest = await scripts.run("figures", keys_of(sale_number), [])
    if not rest:
        return None
    running = {name.decode(): float(value) for name, value in zip(rest[::2], rest[1::2], strict=True)}
    cohort = int(running["cohort"])
    step = step_of(int(running["tail"]))
    found: dict[int, Visit] = {}
    turn = 0
    async for number, what, at_ms, told in _noted(redis, sale_number, int(running["last_ms"]), timeout_s):
        if number % step:
            continue
        visit = found.get(number)
        if visit is None:
            visit = found[number] = Visit(number, place_of(number, cohort, seed))
        turn += 1
        _take(visit, what, at_ms, told, turn)
    names = RoomFigures.__dataclass_fields__
    return VisitRecords(RoomFigures(**{name: int(running[name]) for name in names}), step, list(found.values()))


def _take(visit: Visit, what: bytes, at_ms: int, told: Told | None, turn: int) -> None:
    if what == _JOINED:
        visit.joined_ms, visit.told = at_ms, told
    elif what == _ORDERED:
        visit.ordered_ms = visit.ordered_ms or at_ms
    elif what in (_ADMITTED, _BYPASSED):
        visit.admitted_ms, visit.turn, visit.bypassed = at_ms, turn, what == _BYPASSED


async def _noted(
    redis: Redis, sale_number: int, last_ms: int, timeout_s: float
) -> AsyncIterator[tuple[int, bytes, int, Told | None]]:
    """Give what was noted, in its order: number, what happened, when, and what a joining was told."""
    last, before, now = b"-", keys.room_visits_before(sale_number), keys.room_visits(sale_number)
    while page := await _asked(partial(redis.xrange, before, min=last, count=PAGE), timeout_s):
        for entry_id, fields in page:
            yield _entry_before(entry_id, fields[b"v"])
        last = b"(" + page[-1][0]
    begin, paced = 0, (0.0, 0.0, 0)
    while entries := await _asked(partial(redis.lrange, now, begin, begin + PAGE - 1), timeout_s):
        for packed in entries:
            if packed[:1] == _PACED:
                paced = _PACE.unpack_from(packed, 1)
                continue
            what, number, high, low = _ENTRY.unpack_from(packed)
            position = _POSITION.unpack_from(packed, _ENTRY.size)[0] if what == _JOINED else 0
            yield number, what, _moment(high << 8 | low, last_ms), Told(position, *paced) if position else None
        begin += len(entries)


def _moment(low_ms: int, last_ms: int) -> int:
    """Return the latest moment with these low bytes that is not far behind the room's last one."""
    most = last_ms + _AHEAD_MS
    return most - (most - low_ms) % _TIMES


def _entry_before(entry_id: bytes, packed: bytes) -> tuple[int, bytes, int, Told | None]:
    what, told = packed[:1], None
    if what == _JOINED:
        told = Told(*_TOLD_BEFORE.unpack(packed[_NUMBER_BEFORE.stop :]))
    number = int.from_bytes(packed[_NUMBER_BEFORE], "big")
    return number, what, int(entry_id.partition(b"-")[0]), told if told is not None and told.position else None


async def keep(redis: Redis, sale_number: int, *, timeout_s: float) -> None:
    """Let the store forget the visits in a month: their figures are in the report.

    Raises:
        StoreUnavailableError: the room's store does not answer in time.
    """
    try:
        async with asyncio.timeout(timeout_s):
            await redis.expire(keys.room_visits(sale_number), KEEP_S, nx=True)
            await redis.expire(keys.room_visits_before(sale_number), KEEP_S, nx=True)
    except REDIS_FAILED as error:
        raise StoreUnavailableError(f"the room's store did not answer: {error!r}") from error


async def _asked(ask: Callable[[], Awaitable[Any]], timeout_s: float) -> Any:
    try:
        async with asyncio.timeout(timeout_s):
            return await ask()
    except REDIS_FAILED as error:
        raise StoreUnavailableError(f"the room's store did not answer: {error!r}") from error
