"""How the order store's servers are: whether they answer, their clocks, memory and durability. Owns these questions.

Judges nothing and changes no setting. Names no key: each primary of a Cluster is asked.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

from redis.asyncio import ConnectionPool, Redis
from redis.exceptions import ResponseError

from doorbuster.failures import REDIS_FAILED
from doorbuster.redis_roles.servers import primaries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doorbuster.redis_roles.nodes import Primary

REPLICA_S = 0.5
"""How long a replica may take to say how it keeps data: it is asked beside, and may not be reachable from here."""


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
    client: Redis


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
    return [one.name for one, said in zip(servers, found, strict=True) if _is_away(said, found)]


async def clocks_us(redis: Redis) -> list[int]:
    """Return the clock of each primary, in Unix microseconds: entries get their times by that of their partition's."""
    times = await asyncio.gather(*(one.client.time() for one in await primaries(redis)))
    return [int(seconds) * 1_000_000 + int(microseconds) for seconds, microseconds in times]


async def memory(redis: Redis) -> Memory:
    """Return how full it is; of several primaries the fullest, for a partition cannot go to another."""
    asked = (one.client.info("memory") for one in await primaries(redis))
    found: list[Any] = await asyncio.gather(*asked, return_exceptions=True)
    there = [said for said in found if not _is_away(said, found)]
    memories = [Memory(one["used_memory"], one.get("maxmemory", 0)) for one in there]
    return max(memories, key=lambda one: (one.used / one.maxmemory if one.maxmemory else 0.0, one.used))


async def kept_data(redis: Redis, *names: str) -> list[KeptData]:
    """Return what each primary says of itself about keeping data, and its own settings of these names.

    Of one that does not answer, while others do, nothing is known: its `info` is empty.

    Raises:
        RedisError, OSError, TimeoutError: none answers.
    """
    servers = await primaries(redis)
    asked = (_kept_data(one, names) for one in servers)
    found: list[Any] = await asyncio.gather(*asked, return_exceptions=True)
    return [
        KeptData(one.name, {}, None, one.client) if _is_away(said, found) else said
        for one, said in zip(servers, found, strict=True)
    ]


def _is_away(said: object, found: Sequence[object]) -> bool:
    """Say whether one of several servers failed while others did not; raise what is a defect, or of all of them."""
    if not isinstance(said, BaseException):
        return False
    if not isinstance(said, REDIS_FAILED) or all(isinstance(one, BaseException) for one in found):
        raise said
    return True


async def _kept_data(one: Primary, names: tuple[str, ...]) -> KeptData:
    found: dict[Any, Any] = {}
    for section in ("persistence", "memory", "replication", "cluster"):
        found |= await one.client.info(section)
    info = {_text(field): _text(value) for field, value in found.items()}
    return KeptData(one.name, info, await _settings(one.client, *names) if names else None, one.client)


async def replica_settings(primary: Redis, address: tuple[str, int], *names: str) -> dict[str, str] | None:
    """Return what a replica says of its own settings, asked as its primary is; None: it cannot be asked."""
    told = primary.connection_pool.connection_kwargs
    if "host" not in told:
        return None
    told = told | {"host": address[0], "port": address[1]}
    told |= {"socket_connect_timeout": REPLICA_S, "socket_timeout": REPLICA_S}
    pool = ConnectionPool(connection_class=primary.connection_pool.connection_class, **told)
    try:
        async with Redis(connection_pool=pool) as replica:
            return await _settings(replica, *names)
    except REDIS_FAILED:  # it may be reached by another address, or by nobody from here
        return None
    finally:
        await pool.aclose()


async def _settings(redis: Redis, *names: str) -> dict[str, str] | None:
    """Return its own settings of these names, None where asking is forbidden."""
    try:
        found: dict[Any, Any] = await redis.config_get(*names)
    except ResponseError:
        return None
    return {_text(name): _text(value) for name, value in found.items()}


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
