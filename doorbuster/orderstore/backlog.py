"""How far a partition's stream goes beyond what is drained. Owns that comparison; never reads an entry's content.

Each command touches the slot of one partition: `stream` or `gate`; many partitions are asked in one pipeline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from redis.exceptions import ResponseError

from doorbuster import keys
from doorbuster.failures import REDIS_FAILED
from doorbuster.orderstore import gate
from doorbuster.orderstore.ids import Partition
from doorbuster.orderstore.partition import START

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from redis.asyncio import Redis


class Stream(NamedTuple):
    """What the order store says of a partition."""

    last: str
    """The last id ever given; `0-0` where there is no stream."""
    held: int
    """Entries in it."""
    told: int
    """Entries worked off, as far as the gate has heard."""
    place: str | None = None
    """Up to which id that is; None: whoever told it named none, or nobody told anything."""
    raw: tuple[str, str] = ("", "")
    """The two fields that say so, as they stand in the gate."""
    accepted: int = 0
    """Entries accepted, as the gate counts them."""


async def streams(redis: Redis, partitions: Collection[Partition]) -> dict[Partition, Stream]:
    """Return what the order store says of these partitions; of several servers one that is away leaves its own out.

    Raises:
        RedisError, OSError, TimeoutError: no server answers.
    """
    pipeline = redis.pipeline(transaction=False)
    for partition in partitions:
        pipeline.xinfo_stream(keys.stream(*partition))
        pipeline.hmget(keys.gate(*partition), ["drained", "told", "accepted"])
    answers = await pipeline.execute(raise_on_error=False)
    told = dict(zip(partitions, zip(answers[::2], answers[1::2], strict=True), strict=True))
    away = {one: failed for one, said in told.items() if (failed := _failure(said)) is not None}
    if away and len(away) == len(told):
        raise next(iter(away.values()))
    return {one: _stream(*said) for one, said in told.items() if one not in away}


def _failure(said: tuple[Any, Any]) -> Exception | None:
    """Return why a server did not answer; a refusal is an answer."""
    return next((one for one in said if isinstance(one, REDIS_FAILED) and not isinstance(one, ResponseError)), None)


def _stream(info: Any, said: Any) -> Stream:
    if isinstance(said, Exception):
        raise said
    drained, told, accepted = ((value or b"").decode() for value in said)
    count, _, place = told.partition(" ")
    heard = (int(drained or 0), place if place and count == drained else None, (drained, told), int(accepted or 0))
    if isinstance(info, ResponseError) and "no such key" in str(info):
        return Stream(START, 0, *heard)
    if isinstance(info, Exception):
        raise info
    return Stream(info["last-generated-id"].decode(), info["length"], *heard)


def behind(found: Mapping[Partition, Stream], cursors: Mapping[Partition, tuple[str, int]]) -> list[Partition]:
    """Return the partitions where a drain has something to do, given each one's cursor and count of entries drained."""
    return [partition for partition, stream in found.items() if _is_behind(stream, *cursors.get(partition, (START, 0)))]


def _is_behind(stream: Stream, cursor: str, drained: int) -> bool:
    """Say whether there are entries beyond the cursor, or below it in a stream that began anew, or news to tell.

    Who commits and dies before telling leaves the gate with too high a backlog; a full one refuses every order, so that
    no other drain would come by and tell.
    """
    return (stream.held > 0 and stream.last != cursor) or stream.told != drained


async def counts(redis: Redis, partitions: Sequence[Partition]) -> list[tuple[int, int]]:
    """Return the entries and bytes of each backlog, as the gates count them; 0 bytes while a drain tells none."""
    async with redis.pipeline(transaction=False) as pipe:
        for partition in partitions:
            pipe.hmget(keys.gate(*partition), *gate.COUNTED)
        return [gate.backlog_of(counted) for counted in await pipe.execute()]


async def tallies(redis: Redis, partitions: Sequence[Partition]) -> list[tuple[int, int]]:
    """Return of each partition how many orders it has accepted in all, and how many of them are not drained.

    A store that lost its data has accepted at least what was drained, as the accept script goes on to count.
    """
    async with redis.pipeline(transaction=False) as pipe:
        for partition in partitions:
            pipe.hmget(keys.gate(*partition), "accepted", "drained")
        counted = [[int(count or 0) for count in counts] for counts in await pipe.execute()]
    return [(max(accepted, drained), max(accepted - drained, 0)) for accepted, drained in counted]


async def accepted(redis: Redis, partition: Partition) -> int:
    """Return how many orders the partition has accepted."""
    counted: Any = await redis.hget(keys.gate(*partition), "accepted")
    return int(counted or 0)


async def accepted_and_held(redis: Redis, partition: Partition) -> tuple[int, int]:
    """Return at one moment how many orders the partition has accepted, and how many entries lie in its stream."""
    async with redis.pipeline(transaction=True) as pipe:
        pipe.hget(keys.gate(*partition), "accepted")
        pipe.xlen(keys.stream(*partition))
        counted, length = await pipe.execute()
    return int(counted or 0), int(length)
