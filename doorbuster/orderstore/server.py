"""How the order store's servers are: whether they answer, their clocks, memory and durability. Owns these questions.

Judges nothing and changes no setting. Names no key: each primary of a Cluster is asked.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

from redis.exceptions import ResponseError

from doorbuster.failures import REDIS_FAILED
from doorbuster.redis_roles.servers import primaries

if TYPE_CHECKING:
    from redis.asyncio import Redis


class Memory(NamedTuple):
    """How much memory the server uses and may use, in bytes."""

    used: int
    maxmemory: int
    """0: it has no bound of its own."""


class KeptData(NamedTuple):
    """What a server says of itself about keeping data."""

    name: str
    """Where it is, among several; empty: it is the only one."""
    info: dict[str, str]
    config: dict[str, str] | None
    """Of the settings that were asked for; None: asking is forbidden."""


async def ping(redis: Redis) -> None:
    """Return if every primary answers.

    Raises:
        RedisError, OSError, TimeoutError: one does not.
    """
    await redis.ping()


async def away(redis: Redis) -> list[str]:
    """Return the primaries that do not answer, while others do.

    Raises:
        RedisError, OSError, TimeoutError: none does.
    """
    servers = await primaries(redis)
    found = await asyncio.gather(*(one.client.ping() for one in servers), return_exceptions=True)
    failures = [said for said in found if isinstance(said, BaseException)]
    for failure in failures:
        if len(failures) == len(servers) or not isinstance(failure, REDIS_FAILED):
            raise failure
    return [one.name for one, said in zip(servers, found, strict=True) if isinstance(said, BaseException)]


async def clocks_us(redis: Redis) -> list[int]:
    """Return the clock of each primary, in Unix microseconds: entries get their times by that of their partition's."""
    times = await asyncio.gather(*(one.client.time() for one in await primaries(redis)))
    return [int(seconds) * 1_000_000 + int(microseconds) for seconds, microseconds in times]


async def memory(redis: Redis) -> Memory:
    """Return how full it is; of several primaries the fullest, for a partition cannot go to another."""
    found = await asyncio.gather(*(one.client.info("memory") for one in await primaries(redis)))
    memories = [Memory(one["used_memory"], one.get("maxmemory", 0)) for one in found]
    return max(memories, key=lambda one: (one.used / one.maxmemory if one.maxmemory else 0.0, one.used))


async def kept_data(redis: Redis, *names: str) -> list[KeptData]:
    """Return what each primary says of itself about keeping data, and its own settings of these names."""
    return await asyncio.gather(*(_kept_data(one.name, one.client, names) for one in await primaries(redis)))


async def _kept_data(name: str, redis: Redis, names: tuple[str, ...]) -> KeptData:
    found: dict[Any, Any] = {}
    for section in ("persistence", "memory", "replication"):
        found |= await redis.info(section)
    info = {_text(field): _text(value) for field, value in found.items()}
    return KeptData(name, info, await _settings(redis, *names) if names else None)


async def _settings(redis: Redis, *names: str) -> dict[str, str] | None:
    """Return its own settings of these names, None where asking is forbidden."""
    try:
        found: dict[Any, Any] = await redis.config_get(*names)
    except ResponseError:
        return None
    return {_text(name): _text(value) for name, value in found.items()}


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
