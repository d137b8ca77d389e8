"""What lies in the order store over all partitions, for the audit. Owns the scan; changes nothing.

It goes through every key, on each primary of a Cluster, and reads the values of one slot at a time. Where slots move
meanwhile it begins anew, and passes by what it has seen.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from doorbuster import keys
from doorbuster.orderstore.accepted import FINGERPRINT_BYTES
from doorbuster.orderstore.spent import ENDED
from doorbuster.redis_roles.meaning import TopologyChangedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from redis.asyncio import Redis

    from doorbuster.orderstore.ids import Partition

_PAGE = 10_000
_BEGINNINGS = 20
_ALL_ACCEPTED = keys.accepted_prefix(0, 0).replace(keys.slot(0, 0), "{*}") + "*"
_ALL_SPENT = keys.spent_prefix(0, 0).replace(keys.slot(0, 0), "{*}") + "*"
_SLOT = re.compile(rb"\{(\d+)\.(\d+)\}")


async def accepted_ms(redis: Redis, watched: Collection[Partition]) -> AsyncIterator[tuple[Partition, int]]:
    """Yield of every order that is still known in these partitions when it was accepted, in Unix milliseconds."""
    async for partition, value in _values(redis, _ALL_ACCEPTED, watched):
        yield partition, int(value[FINGERPRINT_BYTES:].partition(b"-")[0])


async def placed(redis: Redis, watched: Collection[Partition]) -> AsyncIterator[tuple[Partition, int]]:
    """Yield of every admission noted in these partitions how many orders were placed, also those that came back."""
    async for partition, value in _values(redis, _ALL_SPENT, watched):
        yield partition, int(value.partition(b",")[0]) % ENDED


async def _values(redis: Redis, pattern: str, watched: Collection[Partition]) -> AsyncIterator[tuple[Partition, bytes]]:
    """Yield what lies under the keys of the partitions that are watched, each key once."""
    seen: set[bytes] = set()
    cursor = 0
    begun = 1
    while True:
        try:
            page: Any = await redis.scan(cursor, match=pattern, count=_PAGE)
        except TopologyChangedError:
            if (begun := begun + 1) > _BEGINNINGS:
                raise
            cursor = 0
            continue
        cursor, names = page
        fresh: defaultdict[Partition, list[bytes]] = defaultdict(list)
        for name in dict.fromkeys(names):
            if name not in seen and (partition := _partition_of(name)) in watched:
                fresh[partition].append(name)
        for partition, of_slot in fresh.items():
            seen.update(of_slot)
            values: Any = await redis.mget(of_slot)
            for value in values:
                if value is not None:
                    yield partition, value
        if cursor == 0:
            return


def _partition_of(name: bytes) -> Partition:
    found = _SLOT.search(name)
    return (int(found[1]), int(found[2])) if found else (0, 0)
