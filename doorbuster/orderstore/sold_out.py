"""The sold-out flags of a partition: products that its drain found without units. Owns their one writer and reader.

A flag only spares hopeless orders their way: taken away too early it costs a cancelled order, never an oversold one.
Each command touches the slot of one partition: `sold_out`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from doorbuster import keys

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from redis.asyncio import Redis
    from redis.asyncio.client import Pipeline

    from doorbuster.orderstore.ids import Partition


async def read(redis: Redis, partitions: Iterable[Partition]) -> list[set[str]]:
    """Return the flagged products of each of these partitions."""
    async with redis.pipeline(transaction=False) as pipe:
        for partition in partitions:
            pipe.smembers(keys.sold_out(*partition))
        answers: list[Any] = await pipe.execute()
    return [{member.decode() for member in members} for members in answers]


async def clear(redis: Redis, partitions: Iterable[Partition], products: Collection[str]) -> int:
    """Take the flags off these products; return how many there were."""
    if not products:
        return 0
    async with redis.pipeline(transaction=False) as pipe:
        for partition in partitions:
            queue_clear(pipe, partition, list(products))
        return sum(await pipe.execute())


def queue_clear(pipe: Pipeline, partition: Partition, products: Sequence[str]) -> None:
    """Put the taking away of flags behind other commands of the same slot."""
    pipe.srem(keys.sold_out(*partition), *products)


def queue_set(pipe: Pipeline, partition: Partition, products: Sequence[str]) -> None:
    """Put the setting of flags behind other commands of the same slot."""
    pipe.sadd(keys.sold_out(*partition), *products)
