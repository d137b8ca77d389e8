"""Counts of a sale by minute, in the room's store: added to by every intake process, copied on by the scheduler.

Owns their shape. Adding is safe to repeat, so that nothing counts twice; what is added to late is copied again.
Each verb touches the slot of one sale: `sale_minute`, `sale_minutes`.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from doorbuster import keys
from doorbuster.lua_script import Script

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from redis.asyncio import Redis

KEEP_MS = 30 * 86_400_000
COPIED_MS = 86_400_000
"""How long a minute that was copied is kept, for what intakes tell late."""
AT_ONCE = 60
"""Minutes of a sale that one look finds."""
TENS = 6
"""Refusals are told by tens of seconds, so that those of the last minute are known at any second."""
OFFERED, JOINED, ADMITTED = "offered", "joined", "admitted"
_COUNTED = (OFFERED, ADMITTED, JOINED)
_REFUSED = "refused:"

_add = Script.beside(__file__, "add_to_minute")
_note_copied = Script.beside(__file__, "note_copied")


class Batch(NamedTuple):
    """What one process counted of a sale within ten seconds or a part of them."""

    sale_number: int
    tens: int
    """Which ten seconds, counted from 1970."""
    writer: str
    sequence: int
    counts: Mapping[str, int]
    """`OFFERED`, `JOINED`, `ADMITTED`, and refusals by their code."""


class Minute(NamedTuple):
    """A minute of a sale."""

    offered: int
    admitted: int
    joined: int
    refused: dict[str, int]
    flushes: int
    """How often it was added to."""


async def add(redis: Redis, batch: Batch) -> bool:
    """Add to a minute; say whether it was news.

    Raises:
        RedisError, OSError: whether it was added is unknown; the same batch is safe to add again.
    """
    minute, tens = divmod(batch.tens, TENS)
    named: list[str | int] = []
    for name, count in batch.counts.items():
        named += (name if name in _COUNTED else f"{_REFUSED}{name}:{tens}", count)
    told = (batch.writer, batch.sequence, minute, KEEP_MS, *named)
    return bool(await _add.run(redis, _keys(batch.sale_number, minute), *told))


async def to_copy(redis: Redis, numbers: Collection[int], before: int) -> list[tuple[int, int]]:
    """Return sale number and minute of what was added to since it was copied last, of minutes below `before`."""
    async with redis.pipeline(transaction=False) as pipe:
        for number in numbers:
            pipe.zrangebyscore(keys.sale_minutes(number), "-inf", f"({before}", start=0, num=AT_ONCE)
        answers = await pipe.execute()
    return [(number, int(minute)) for number, found in zip(numbers, answers, strict=True) for minute in found]


async def read(redis: Redis, number: int, minute: int) -> Minute:
    """Return a minute's counts so far."""
    found: Any = await redis.hgetall(keys.sale_minute(number, minute))
    counted = {name.decode(): int(count) for name, count in found.items() if not name.startswith(b"by:")}
    offered, admitted, joined = (counted.get(name, 0) for name in _COUNTED)
    return Minute(offered, admitted, joined, dict(_refused(counted)), counted.get("flushes", 0))


async def note_copied(redis: Redis, number: int, minute: int, seen: Minute) -> bool:
    """Say that a minute was copied as it was seen; False: something was added since, it is to be copied again."""
    return bool(await _note_copied.run(redis, _keys(number, minute), minute, seen.flushes, COPIED_MS))


async def refused_lately(redis: Redis, number: int, now_s: float) -> dict[str, int]:
    """Return what was refused within the last minute, up to ten seconds more, by code."""
    minute, tens = divmod(int(now_s // 10), TENS)
    async with redis.pipeline(transaction=False) as pipe:
        pipe.hgetall(keys.sale_minute(number, minute - 1))
        pipe.hgetall(keys.sale_minute(number, minute))
        before, present = await pipe.execute()
    refused: Counter[str] = Counter()
    for found, wanted in ((before, range(tens, TENS)), (present, range(tens + 1))):
        refused += _refused({name.decode(): int(count) for name, count in _of_codes(found)}, wanted)
    return dict(refused)


async def forget(redis: Redis, number: int) -> None:
    """Take away all counts of a sale that is to leave no trace."""
    index = keys.sale_minutes(number)
    kept = [name async for name in redis.scan_iter(match=f"{keys.sale_minute_prefix(number)}*", count=1000)]
    for name in (*kept, index):
        await redis.delete(name)


def _of_codes(found: dict[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    return [(name, count) for name, count in found.items() if name.startswith(_REFUSED.encode())]


def _refused(counted: Mapping[str, int], tens: Collection[int] = range(TENS)) -> Counter[str]:
    refused: Counter[str] = Counter()
    for name, count in counted.items():
        if name.startswith(_REFUSED):
            code, _, at = name.removeprefix(_REFUSED).rpartition(":")
            if int(at) in tens:
                refused[code] += count
    return refused


def _keys(number: int, minute: int) -> list[Any]:
    return [keys.sale_minute(number, minute), keys.sale_minutes(number)]
