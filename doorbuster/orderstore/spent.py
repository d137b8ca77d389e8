"""What is noted of an admission where orders are accepted: orders placed with it, uses that came back, its end.

Owns the `spent` keys but for the accept script, which counts in them. Each verb touches the slot of one partition: an
admission has a key in every partition that it could be spent in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from redis.exceptions import RedisError

from doorbuster import keys
from doorbuster.lua_script import Script

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis

    from doorbuster.orderstore.ids import Partition

_end_admission = Script.beside(__file__, "end_admission")
_return_uses = Script.beside(__file__, "return_uses")

ENDED = 1_000_000_000
"""Added to the orders of an admission whose visitor has left; see scripts/end_admission.lua."""
HOUR_MS = 3_600_000
"""What the audit looks back on: counts outlive it (db/audit/admissions.py)."""
ID_DIGITS = 32


class Spent(NamedTuple):
    """What the order store has of an admission in one partition."""

    placed: int
    returned: int
    order_ids: tuple[UUID, ...]
    """Orders that may still end without units: the last ones placed with it."""


def count_ttl_ms(life_ms: int) -> int:
    """Return how long it is kept how many orders an admission bought: for as long again as it lives, and an hour."""
    return 2 * life_ms + HOUR_MS


def decode(value: bytes | None) -> Spent:
    """Return what a `spent` key says; before any came back it may be a number alone."""
    placed, _, rest = (value or b"0").decode().partition(",")
    returned, _, ids = rest.partition(",")
    found = tuple(UUID(ids[start : start + ID_DIGITS]) for start in range(0, len(ids), ID_DIGITS))
    return Spent(int(placed), int(returned or "0"), found)


async def read(redis: Redis, partitions: Sequence[Partition], spend_id: str) -> list[Spent]:
    """Return what is noted of an admission in each of these partitions."""
    async with redis.pipeline(transaction=False) as pipe:
        for partition in partitions:
            pipe.get(keys.spent(*partition, spend_id))
        values: list[Any] = await pipe.execute()
    return [decode(value) for value in values]


async def give_back(redis: Redis, partition: Partition, spend_id: str, cancelled: Sequence[UUID]) -> int:
    """Give back the uses that these orders took, which ended without units; return how many. Safe to repeat."""
    name = keys.spent(*partition, spend_id)
    return int(await _return_uses.run(redis, [name], *(UUID(int=one.int).hex for one in cancelled)))


async def end(
    redis: Redis, partition: Partition, spend_id: str, *, ttl_ms: int, replicas: int, replica_wait_ms: int
) -> int:
    """Let no further order be accepted with an admission; return how many were. Safe to repeat.

    On one connection with its WAIT, which covers what that connection wrote.

    Raises:
        RedisError, OSError, TimeoutError: it may still buy.
    """
    async with redis.pipeline(transaction=False) as pipe:
        pipe.eval(_end_admission.source, 1, keys.spent(*partition, spend_id), str(ttl_ms))
        if replicas:
            pipe.wait(replicas, replica_wait_ms)
        placed, *reached = await pipe.execute()
    if reached and reached[0] < replicas:
        raise RedisError(f"the end reached {reached[0]} of {replicas} replicas")
    return int(placed)
