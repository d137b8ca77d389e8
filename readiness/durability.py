"""Whether the order store really keeps what it accepts. Owns that judgement; changes no setting of a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from doorbuster.orderstore import server

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from doorbuster.orderstore.server import KeptData

_SYNCED = {"appendonly": "yes", "appendfsync": "always", "no-appendfsync-on-rewrite": "no"}


async def judge(redis: Redis, level: str) -> tuple[list[str], list[str]]:
    """Return what makes the order store less durable than the level, and what is taken on trust.

    Raises:
        RedisError, OSError, TimeoutError: it does not answer.
    """
    faults, notes = [], []
    for one in await server.kept_data(redis, *_SYNCED, "maxmemory-policy"):
        named = f"{one.name}: " if one.name else ""
        faults += [f"{named}{fault}" for fault in _faults(one, level)]
        if one.config is None:
            notes.append(f"{named}CONFIG is forbidden: judged by INFO, fsync policy taken on trust")
    return faults, notes


def _faults(one: KeptData, level: str) -> list[str]:
    faults = _policy_faults(one.info, one.config)
    if level == "fsync":
        faults += _sync_faults(one.info, one.config)
    elif level.startswith("replicas:"):
        wanted, there = int(level.removeprefix("replicas:")), int(one.info.get("connected_slaves", 0))
        if there < wanted:
            faults.append(f"connected replicas are {there}, must be {wanted}")
    return faults


def _policy_faults(info: dict[str, str], config: dict[str, str] | None) -> list[str]:
    policy = (config or {}).get("maxmemory-policy") or info.get("maxmemory_policy", "unknown")
    return [] if policy == "noeviction" else [f"maxmemory-policy is {policy}, must be noeviction"]


def _sync_faults(info: dict[str, str], config: dict[str, str] | None) -> list[str]:
    faults = []
    if config is not None:
        faults += [
            f"{name} is {config[name]}, must be {wanted}" if name in config else f"{name} is unknown"
            for name, wanted in _SYNCED.items()
            if config.get(name) != wanted
        ]
    elif info.get("aof_enabled") != "1":
        faults.append("aof_enabled is 0, must be 1")
    if info.get("aof_enabled") == "1" and info.get("aof_last_write_status") != "ok":
        faults.append(f"aof_last_write_status is {info.get('aof_last_write_status')}, must be ok")
    return faults
