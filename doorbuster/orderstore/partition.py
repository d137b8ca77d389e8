"""The stream of a partition: reading its entries, telling it what is committed, appending one again. Owns these verbs.

Entries come in by the accept script and by `append_again` alone. Each verb touches the slot of one partition: `stream`,
`gate`, and of those told of a commit `sold_out`. What is read are bytes; what they mean is `entry.py`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from redis.exceptions import NoScriptError, OutOfMemoryError

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

AHEAD_MAX_MS = 5_000
"""By how much the clock of a server that was lost may have been ahead for new ids to follow its last one."""

_append_again = Script.beside(__file__, "append_again")
_tell_drained = Script.beside(__file__, "tell_drained")


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

    said: tuple[str, str]
    """What the gate says of the drain, as the drain knows it; see `backlog.Stream.raw`."""
    trim_below: str | None
    """Entries below this id may go; None: none may."""
    drained: int
    """Entries worked off in all."""
    cursor: str
    """Up to which id."""
    drained_bytes: int | None
    """Their bytes; None: whoever wrote them did not count."""
    changed: Sequence[bytes]
    """Ids of the orders that came out of it."""
    in_stock: Sequence[str]
    sold_out: Sequence[str]
    unknown: int = 0
    """Of those worked off, how many the store does not know it accepted: their server was lost."""
    beyond: str = ""
    """The last id that this server is known to have given."""
    last: bytes = b""
    """The entry at the cursor; empty: it is not at hand."""


class Telling(NamedTuple):
    """What became of telling it."""

    said: tuple[str, str] | None
    """What the gate says now; None: it said otherwise than the drain knew, so nothing went and no count was set."""
    refused: list[OutOfMemoryError]
    """What a full store would not write: that is to be told again later, for working off is what makes room."""


async def after_commit(redis: Redis, partition: Partition, committed: Committed) -> Telling:
    """Let done entries go, set and take sold-out flags, count the backlog down, and wake who waits for the orders.

    Raises:
        RedisError, OSError, TimeoutError: any failure but that the store is full.
    """
    # First what makes room, last what needs it. The orders are committed whatever the gate says, so they are told.
    names = [keys.gate(*partition), keys.stream(*partition)]
    size = "" if committed.drained_bytes is None else committed.drained_bytes
    told = (
        *committed.said, committed.trim_below or "", committed.drained, committed.cursor, size,
        committed.unknown, committed.beyond, AHEAD_MAX_MS, committed.last,
    )  # fmt: skip
    pipe = redis.pipeline(transaction=False)
    pipe.evalsha(_tell_drained.sha, len(names), *names, *told)
    if committed.in_stock:
        sold_out.queue_clear(pipe, partition, committed.in_stock)
    if committed.changed:
        changes.queue_orders(pipe, committed.changed)
    if committed.sold_out:
        sold_out.queue_set(pipe, partition, committed.sold_out)
    counted, *answers = await pipe.execute(raise_on_error=False)
    if isinstance(counted, NoScriptError):  # nothing was run, so running it now is no repetition
        try:
            counted = await _tell_drained.run(redis, names, *told)
        except OutOfMemoryError as error:
            counted = error
    refused = _refused_for_room([counted, *answers])
    if counted in refused:
        return Telling(committed.said, refused)
    return Telling((str(committed.drained), f"{committed.drained} {committed.cursor}") if counted else None, refused)


def _refused_for_room(answers: list[Any]) -> list[OutOfMemoryError]:
    for answer in answers:
        if isinstance(answer, Exception) and not isinstance(answer, OutOfMemoryError):
            raise answer
    return [answer for answer in answers if isinstance(answer, OutOfMemoryError)]
