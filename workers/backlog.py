"""How far a partition's stream goes beyond what is drained. Owns that comparison; never reads an entry's content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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


async def last_ids(redis: Redis, partitions: Collection[tuple[int, int]]) -> dict[tuple[int, int], tuple[str, int]]:
    """Return each stream's last id ever given, and how many entries it holds; `0-0`, 0 where there is no stream."""
    pipeline = redis.pipeline(transaction=False)
    for partition in partitions:
        pipeline.xinfo_stream(keys.stream(*partition))
    answers = await pipeline.execute(raise_on_error=False)
    return dict(zip(partitions, map(_last_id, answers), strict=True))


def _last_id(answer: Any) -> tuple[str, int]:
    if isinstance(answer, ResponseError) and "no such key" in str(answer):
        return START, 0
    if isinstance(answer, Exception):
        raise answer
    return answer["last-generated-id"].decode(), answer["length"]


def behind(
    last: Mapping[tuple[int, int], tuple[str, int]], cursors: Mapping[tuple[int, int], str]
) -> list[tuple[int, int]]:
    """Return the partitions with entries beyond their cursor, or below it in a stream that began anew."""
    return [
        partition for partition, (entry_id, held) in last.items() if held and entry_id != cursors.get(partition, START)
    ]
