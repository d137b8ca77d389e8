"""What shifts did and took, as told in the jobs store: workers have no page of metrics. Owns those counters alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from doorbuster import keys

if TYPE_CHECKING:
    from redis.asyncio import Redis


class ShiftCost(NamedTuple):
    """Of one kind of shift, since the jobs store was made."""

    seconds: float
    """In transactions, that is with a connection held and rows locked."""
    transactions: int
    done: int
    """Entries, payments, events or whatever it works on."""


async def tell(redis: Redis, kind: str, cost: ShiftCost) -> None:
    """Add to what a kind of shift did.

    Raises:
        RedisError, OSError: the jobs store does not answer.
    """
    async with redis.pipeline(transaction=True) as pipe:
        pipe.hincrbyfloat(keys.SHIFT_COSTS, f"{kind}:seconds", cost.seconds)
        pipe.hincrby(keys.SHIFT_COSTS, f"{kind}:transactions", cost.transactions)
        pipe.hincrby(keys.SHIFT_COSTS, f"{kind}:done", cost.done)
        await pipe.execute()


async def read(redis: Redis) -> dict[str, ShiftCost]:
    """Return it by kind of shift.

    Raises:
        RedisError, OSError: the jobs store does not answer.
    """
    told: Any = await redis.hgetall(keys.SHIFT_COSTS)
    figures = {name.decode(): float(value) for name, value in told.items()}
    kinds = sorted({name.partition(":")[0] for name in figures})
    return {
        kind: ShiftCost(
            figures.get(f"{kind}:seconds", 0.0),
            int(figures.get(f"{kind}:transactions", 0)),
            int(figures.get(f"{kind}:done", 0)),
        )
        for kind in kinds
    }


async def waiting(redis: Redis) -> int:
    """Return how many shifts wait for a worker.

    Raises:
        RedisError, OSError: the jobs store does not answer.
    """
    count: Any = await redis.llen(keys.RQ_SHIFTS)
    return int(count)
