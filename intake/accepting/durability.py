"""Whether the order store really keeps what it accepts. Owns the check and its verdict; changes no setting of a server.

A 202 promises durability (P1), so a store that does not sync each write, evicts keys or fails to write gets no orders:
every post is refused until a later check finds it right. DURABILITY names a weaker level when that is meant.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from doorbuster.failures import STORE_FAILED
from doorbuster.orderstore import server

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = logging.getLogger("doorbuster.intake.durability")

AGAIN_S = 0.25
"""When to ask a store again that was away or not durable: a check that met a short outage must not outlast it."""

_SYNCED = {"appendonly": "yes", "appendfsync": "always", "no-appendfsync-on-rewrite": "no"}


class Durability:
    """The last verdict on the order store; not durable until a check said so."""

    def __init__(self, redis: Redis, *, level: str, every_s: float) -> None:
        self._redis = redis
        self._level = level
        self._every_s = every_s
        self.faults: list[str] = ["the order store was not checked yet"]
        self.notes: list[str] = []

    async def check(self) -> bool:
        """Ask the store how it keeps data; say whether that is enough."""
        try:
            faults, notes = await self._look()
        except STORE_FAILED as error:
            faults, notes = [f"the order store cannot be asked: {type(error).__name__}"], []
        if faults and faults != self.faults:
            log.error("orders are refused, the order store is not durable", extra={"faults": faults})
        elif self.faults and not faults:
            log.info("the order store is durable enough", extra={"durability": self._level})
        if notes and notes != self.notes:
            log.warning("the order store's durability is taken on trust in part", extra={"notes": notes})
        self.faults, self.notes = faults, notes
        return not faults

    async def keep_checking(self) -> None:
        """Check from time to time, and soon again while orders are refused, until cancelled."""
        while True:
            await asyncio.sleep(min(self._every_s, AGAIN_S) if self.faults else self._every_s)
            await self.check()

    async def _look(self) -> tuple[list[str], list[str]]:
        info = await server.durability_info(self._redis)
        config = await server.settings(self._redis, *_SYNCED, "maxmemory-policy")
        notes = [] if config is not None else ["CONFIG is forbidden: judged by INFO, fsync policy taken on trust"]
        faults = _policy_faults(info, config)
        if self._level == "fsync":
            faults += _sync_faults(info, config)
        elif self._level.startswith("replicas:"):
            wanted, there = int(self._level.removeprefix("replicas:")), int(info.get("connected_slaves", 0))
            if there < wanted:
                faults.append(f"connected replicas are {there}, must be {wanted}")
        return faults, notes


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
