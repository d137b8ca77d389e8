"""How the order store's server is: whether it answers, its clock, memory and durability. Owns these questions.

Judges nothing and changes no setting. Names no key: in a cluster each node would be asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from redis.exceptions import ResponseError

if TYPE_CHECKING:
    from redis.asyncio import Redis


class Memory(NamedTuple):
    """How much memory the server uses and may use, in bytes."""

    used: int
    maxmemory: int
    """0: it has no bound of its own."""


async def ping(redis: Redis) -> None:
    """Return if the server answers.

    Raises:
        RedisError, OSError, TimeoutError: it does not.
    """
    await redis.ping()


async def clock_us(redis: Redis) -> int:
    """Return its clock, in Unix microseconds."""
    seconds, microseconds = await redis.time()
    return int(seconds) * 1_000_000 + int(microseconds)


async def memory(redis: Redis) -> Memory:
    """Return how full it is."""
    found: dict[Any, Any] = await redis.info("memory")
    return Memory(found["used_memory"], found.get("maxmemory", 0))


async def durability_info(redis: Redis) -> dict[str, str]:
    """Return what it says of itself about keeping data."""
    found: dict[Any, Any] = {}
    for section in ("persistence", "memory", "replication"):
        found |= await redis.info(section)
    return {_text(name): _text(value) for name, value in found.items()}


async def settings(redis: Redis, *names: str) -> dict[str, str] | None:
    """Return its own settings of these names, None where asking is forbidden."""
    try:
        found: dict[Any, Any] = await redis.config_get(*names)
    except ResponseError:
        return None
    return {_text(name): _text(value) for name, value in found.items()}


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
