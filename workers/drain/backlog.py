"""How far a partition's stream goes beyond what is drained. Owns that comparison; never reads an entry's content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from redis.exceptions import ResponseError

from doorbuster import keys

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from redis.asyncio import Redis

START = "0-0"


def place_of(entry_id: str) -> tuple[int, int]:
    """Return an entry id's milliseconds and sequence, which compare as the entries came."""
    milliseconds, _, sequence = entry_id.partition("-")
    return int(milliseconds), int(sequence)


class Stream(NamedTuple):
    """What the order store says of a partition."""

    last: str
    """The last id ever given; `0-0` where there is no stream."""
    held: int
    """Entries in it."""
    told: int
    """Entries worked off, as far as the gate has heard."""


async def streams(redis: Redis, partitions: Collection[tuple[int, int]]) -> dict[tuple[int, int], Stream]:
    """Return what the order store says of these partitions."""
    pipeline = redis.pipeline(transaction=False)
    for partition in partitions:
        pipeline.xinfo_stream(keys.stream(*partition))
        pipeline.hget(keys.gate(*partition), "drained")
    answers = await pipeline.execute(raise_on_error=False)
    return dict(zip(partitions, map(_stream, answers[::2], answers[1::2]), strict=True))


def _stream(info: Any, told: Any) -> Stream:
    if isinstance(told, Exception):
        raise told
    if isinstance(info, ResponseError) and "no such key" in str(info):
        return Stream(START, 0, int(told or 0))
    if isinstance(info, Exception):
        raise info
    return Stream(info["last-generated-id"].decode(), info["length"], int(told or 0))


def behind(
    found: Mapping[tuple[int, int], Stream], cursors: Mapping[tuple[int, int], tuple[str, int]]
) -> list[tuple[int, int]]:
    """Return the partitions where a drain has something to do, given each one's cursor and count of entries drained."""
    return [partition for partition, stream in found.items() if _is_behind(stream, *cursors.get(partition, (START, 0)))]


def _is_behind(stream: Stream, cursor: str, drained: int) -> bool:
    """Say whether there are entries beyond the cursor, or below it in a stream that began anew, or news to tell.

    Who commits and dies before telling leaves the gate with too high a backlog; a full one refuses every order, so that
    no other drain would come by and tell.
    """
    return (stream.held > 0 and stream.last != cursor) or stream.told != drained
