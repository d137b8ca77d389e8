"""How the order store's server is: whether it answers, its clock, memory and durability. Owns these questions.

Judges nothing and changes no setting. Names no key: in a cluster each node would be asked.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from redis.asyncio import ConnectionPool, Redis
from redis.exceptions import ResponseError

from doorbuster.failures import REDIS_FAILED

REPLICA_S = 0.5
"""How long a replica may take to say how it keeps data: it is asked beside, and may not be reachable from here."""


class KeptData(NamedTuple):
    """What a server says of itself about keeping data."""

    name: str
    """Where it is, among several; empty: it is the only one."""
    info: dict[str, str]
    config: dict[str, str] | None
    """Of the settings that were asked for; None: asking is forbidden."""


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


async def kept_data(redis: Redis, *names: str) -> list[KeptData]:
    """Return what each primary says of itself about keeping data, and its own settings of these names."""
    found: dict[Any, Any] = {}
    for section in ("persistence", "memory", "replication", "cluster"):
        found |= await redis.info(section)
    info = {_text(name): _text(value) for name, value in found.items()}
    return [KeptData("", info, await _settings(redis, *names) if names else None)]


async def replica_settings(redis: Redis, address: tuple[str, int], *names: str) -> dict[str, str] | None:
    """Return what a replica says of its own settings, asked as its primary is; None: it cannot be asked."""
    if "host" not in redis.connection_pool.connection_kwargs:
        return None
    told = redis.connection_pool.connection_kwargs | {"host": address[0], "port": address[1]}
    told |= {"socket_connect_timeout": REPLICA_S, "socket_timeout": REPLICA_S}
    pool = ConnectionPool(connection_class=redis.connection_pool.connection_class, **told)
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
