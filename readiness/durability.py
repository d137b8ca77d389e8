"""Whether the order store really keeps what it accepts. Owns that judgement; changes no setting of a server.

A fault is what makes it keep less than the level says: no order is taken. A note is what the level does not cover.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from doorbuster.orderstore import server
from readiness.replication import Replication, replication_of, switch_words, waited_for

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from doorbuster.orderstore.server import KeptData

_SYNCED = {"appendonly": "yes", "appendfsync": "always", "no-appendfsync-on-rewrite": "no"}
_ASKED = (*_SYNCED, "maxmemory-policy", "min-replicas-to-write", "cluster-require-full-coverage")


class Judgement(NamedTuple):
    """What is to be said of an order store."""

    faults: list[str]
    """What makes it less durable than the level."""
    notes: list[str]
    """What the level does not cover, or is taken on trust."""
    switches: list[str]
    """Which switch to another server is safe, of each primary."""


async def judge(redis: Redis, level: str) -> Judgement:
    """Judge the order store by what its servers say.

    One of several that is away, or lacks replicas, holds up its own partitions by the calls that fail: it is noted.

    Raises:
        RedisError, OSError, TimeoutError: it does not answer.
    """
    judged = Judgement([], [], [])
    lacking: list[str] = []
    servers = await server.kept_data(redis, *_ASKED)
    said: list[tuple[str, str]] = []
    for one in servers:
        named = f"{one.name}: " if one.name else ""
        if not one.info:
            lacking.append(f"{named}it does not answer")
            continue
        replication = replication_of(one.info)
        said += [(named, note) for note in _notes(one, replication, level)]
        if waited_for(level):
            said += [(named, note) for note in await _replica_notes(one.client, replication)]
        judged.faults.extend(f"{named}{fault}" for fault in _faults(one, level))
        lacking += [f"{named}{fault}" for fault in _replica_faults(one, replication, level)]
        judged.switches.append(f"{named}{switch_words(replication, level)}")
    (judged.faults if len(lacking) >= len(servers) else judged.notes).extend(lacking)
    judged.notes.extend(_told_once(said, len(servers)))
    return judged


def _told_once(said: list[tuple[str, str]], servers: int) -> list[str]:
    """Return notes with the server that each is about, those about all servers without."""
    common = {note for _, note in said if sum(note == other for _, other in said) == servers}
    return [*(f"{named}{note}" for named, note in said if note not in common), *sorted(common)]


def _faults(one: KeptData, level: str) -> list[str]:
    faults = _policy_faults(one.info, one.config)
    if level == "fsync":
        faults += _sync_faults(one.info, one.config)
    return faults


def _replica_faults(one: KeptData, replication: Replication, level: str) -> list[str]:
    if replication.role not in ("", "master"):
        return ["it is a replica, must be a primary: after a switch, ORDERS_REDIS_URL must lead to the new one"]
    faults = []
    wanted, there, online = waited_for(level), len(replication.replicas), len(replication.online)
    if there < wanted:
        faults.append(f"connected replicas are {there}, must be {wanted}")
    elif online < wanted:
        faults.append(f"of {there} connected replicas {online} are online, must be {wanted}")
    least = int((one.config or {}).get("min-replicas-to-write") or 0)
    if least > online:
        faults.append(f"min-replicas-to-write is {least} and {online} replicas are online: it refuses all writes")
    return faults


def _notes(one: KeptData, replication: Replication, level: str) -> list[str]:
    """Return what can be lost at this level although nothing is wrong with it."""
    config, there, wanted = one.config, len(replication.replicas), waited_for(level)
    notes = []
    if config is None:
        notes.append("CONFIG is forbidden: judged by INFO, fsync policy taken on trust")
    if not wanted and (there or replication.is_cluster):
        notes.append(
            f"DURABILITY is {level} and {there} replicas are connected: a failover loses what they do not have yet; "
            f"replicas:{max(there, 1)} waits for them"
        )
    if 0 < wanted < there:
        notes.append(
            f"replicas:{wanted} waits for {wanted} of {there} replicas: a switch to one that lags loses accepted "
            f"orders unless it is coordinated; replicas:{there} waits for all"
        )
    if wanted and wanted == there:
        notes.append(
            f"replicas:{wanted} waits for every replica there is: while one is away, as after a failover, nothing is "
            "accepted"
        )
    if wanted and config is not None and config.get("appendonly", "yes") != "yes":
        notes.append("appendonly is no: a primary that starts again comes back empty, and its replicas copy that")
    if config is not None and replication.is_cluster and config.get("cluster-require-full-coverage") == "yes":
        notes.append(
            "cluster-require-full-coverage is yes: with one shard away no partition takes orders; set it to no"
        )
    if not wanted and config is not None and int(config.get("min-replicas-to-write") or 0):
        notes.append("min-replicas-to-write counts replicas and waits for none: it makes no order more durable")
    return notes


async def _replica_notes(primary: Redis, replication: Replication) -> list[str]:
    """Return which replicas would lose what they were waited for, where power fails."""
    notes = []
    for replica in replication.replicas:
        config = await server.replica_settings(primary, replica.address, *_SYNCED)
        if config is None:
            notes.append(f"replica {replica.name} cannot be asked whether it syncs each write")
        elif wrong := [f"{name} is {config.get(name)}" for name, must in _SYNCED.items() if config.get(name) != must]:
            notes.append(
                f"replica {replica.name}: {', '.join(wrong)}: what it has does not outlast a loss of power there"
            )
    return notes


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
