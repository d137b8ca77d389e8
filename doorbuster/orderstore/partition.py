"""The stream of a partition: reading its entries, telling it what is committed, appending one again. Owns these verbs.

Entries come in by the accept script and by `append_again` alone. Each verb touches the slot of one partition: `stream`,
`gate`, and of those told of a commit `sold_out`. What is read are bytes; what they mean is `entry.py`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redis.exceptions import OutOfMemoryError

from doorbuster import keys
from doorbuster.lua_script import Script
from doorbuster.orderstore import changes, sold_out
from doorbuster.orderstore.entry import FIELD, total_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from redis.asyncio import Redis

    from doorbuster.orderstore.ids import Partition

RawEntry = tuple[bytes, dict[bytes, bytes]]
"""Id and fields."""

TRACES_S = 86_400
START = "0-0"
"""The cursor before the first entry."""

_append_again = Script.beside(__file__, "append_again")


def place_of(entry_id: str) -> tuple[int, int]:
    """Return an entry id's milliseconds and sequence, which compare as the entries came."""
    milliseconds, _, sequence = entry_id.partition("-")
    return int(milliseconds), int(sequence)


async def read_after(redis: Redis, partition: Partition, cursor: str, *, count: int) -> list[RawEntry]:
    """Return up to so many entries behind a cursor."""
    found: Any = await redis.xrange(keys.stream(*partition), min=f"({cursor}", count=count)
    return list(found)


async def wait_after(
    reader: Redis, partition: Partition, cursor: str, *, count: int, wait_ms: int | None
) -> list[RawEntry]:
    """Return the same, waiting for the first of them; None: not at all. The client is one that may block so long."""
    streams: Any = {keys.stream(*partition): cursor}
    read: Any = await reader.xread(streams, count=count, block=wait_ms)
    found: list[RawEntry] = read[0][1] if read else []
    return found


async def fields_of(redis: Redis, partition: Partition, entry_id: str) -> dict[bytes, bytes] | None:
    """Return the fields of an entry, None if it is not there any more."""
    found: Any = await redis.xrange(keys.stream(*partition), entry_id, entry_id)
    return found[0][1] if found else None


async def keep_traces(redis: Redis, partition: Partition, traced: Mapping[bytes, str]) -> None:
    """Keep for a day which span each of these orders follows from."""
    digits: Any = {order_id.hex(): parent for order_id, parent in traced.items()}
    async with redis.pipeline(transaction=True) as pipe:
        pipe.hset(keys.traces(*partition), mapping=digits)
        pipe.expire(keys.traces(*partition), TRACES_S)
        await pipe.execute()


async def read_traces(redis: Redis, partition: Partition, order_ids: Sequence[bytes]) -> list[str | None]:
    """Return of each order which span it follows from, None where it has no trace."""
    found: Any = await redis.hmget(keys.traces(*partition), [order_id.hex() for order_id in order_ids])
    return [None if parent is None else parent.decode() for parent in found]


async def forget_traces(redis: Redis, partition: Partition, order_ids: Sequence[bytes]) -> None:
    """Forget the traces of orders that are settled."""
    await redis.hdel(keys.traces(*partition), *(order_id.hex() for order_id in order_ids))


async def total_at(redis: Redis, partition: Partition, cursor: str) -> int | None:
    """Return the bytes of all entries up to the cursor, by the first one behind it; None if that does not say."""
    async with redis.pipeline(transaction=True) as pipe:
        pipe.xrange(keys.stream(*partition), min=f"({cursor}", count=1)
        pipe.hget(keys.gate(*partition), "accepted_bytes")
        behind, accepted = await pipe.execute()
    if not behind:
        return int(accepted or 0)
    fields = behind[0][1]
    total = total_of(fields)
    return int(total) - len(fields[FIELD]) if total else None


async def append_again(redis: Redis, partition: Partition, payload: bytes) -> str:
    """Append an entry once more, counted like a new one; return its id. Not safe to repeat, but harmless."""
    entry_id: bytes = await _append_again.run(redis, [keys.gate(*partition), keys.stream(*partition)], payload)
    return entry_id.decode()


@dataclass(frozen=True, slots=True)
class Committed:
    """What a drain has committed in Postgres, and tells its partition."""

    trim_below: str | None
    """Entries below this id may go; None: none may."""
    drained: int
    """Entries worked off in all."""
    drained_bytes: int | None
    """Their bytes; None: whoever wrote them did not count."""
    changed: Sequence[bytes]
    """Ids of the orders that came out of it."""
    in_stock: Sequence[str]
    sold_out: Sequence[str]


async def after_commit(redis: Redis, partition: Partition, committed: Committed) -> list[OutOfMemoryError]:
    """Let done entries go, set and take sold-out flags, count the backlog down, and wake who waits for the orders.

    Return what a full store would not write: that is to be told again later, for working off is what makes room.

    Raises:
        RedisError, OSError, TimeoutError: any other failure.
    """
    pipe = redis.pipeline(transaction=False)
    # First what makes room, last what needs it.
    if committed.trim_below is not None:
        pipe.xtrim(keys.stream(*partition), minid=committed.trim_below, approximate=False)
    if committed.in_stock:
        sold_out.queue_clear(pipe, partition, committed.in_stock)
    if committed.changed:
        changes.queue_orders(pipe, committed.changed)
    pipe.hset(keys.gate(*partition), items=_worked_off(committed))
    if committed.sold_out:
        sold_out.queue_set(pipe, partition, committed.sold_out)
    return _refused_for_room(await pipe.execute(raise_on_error=False))


def _worked_off(committed: Committed) -> list[str]:
    """Return what the gate is to say: how many entries, and how many bytes at that count, if it is known."""
    count = str(committed.drained)
    said = ["drained", count]
    return said if committed.drained_bytes is None else [
        *said, "drained_bytes", str(committed.drained_bytes), "bytes_at", count,
    ]  # fmt: skip


def _refused_for_room(answers: list[Any]) -> list[OutOfMemoryError]:
    for answer in answers:
        if isinstance(answer, Exception) and not isinstance(answer, OutOfMemoryError):
            raise answer
    return [answer for answer in answers if isinstance(answer, OutOfMemoryError)]
