"""Which workers and schedulers there are, as the jobs store knows them. Owns how long one may be silent.

RQ keeps a hash of each worker; the scheduler writes a sign of life of its own.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from doorbuster import keys
from doorbuster.contract.ops import ProcessView

if TYPE_CHECKING:
    from redis.asyncio import Redis

SILENT_S = 45.0
"""A worker says something every 20 s at least, a scheduler every second."""
WORKERS_MAX = 500
_NAMES = keys.RQ_WORKERS.removesuffix("s") + ":"
"""What the key of a worker begins with; its name follows."""


async def processes(redis: Redis) -> list[ProcessView]:
    """Return the workers and schedulers that the jobs store knows of.

    Raises:
        RedisError: it does not answer.
    """
    members: Any = await redis.smembers(keys.RQ_WORKERS)
    names: list[bytes] = sorted(members)[:WORKERS_MAX]
    async with redis.pipeline(transaction=False) as pipe:
        for name in names:
            pipe.hmget(name, "birth", "last_heartbeat", "state")
        hashes = await pipe.execute()
    workers = [
        _worker(name.decode().removeprefix(_NAMES), *fields)
        for name, fields in zip(names, hashes, strict=True)
        if fields[0]
    ]
    signs_of_life: Any = await redis.hgetall(keys.SCHEDULERS)
    schedulers = [
        _view("scheduler", name.decode(), *(float(part) for part in seen.split()))
        for name, seen in sorted(signs_of_life.items())
    ]
    return workers + _of_those_that_live(schedulers)


async def silent_s(redis: Redis, role: str, name: re.Pattern[str]) -> float | None:
    """Return how long ago the latest word came of the workers, or schedulers, of such a name; None: none is known.

    Raises:
        RedisError: it does not answer.
    """
    if role == "scheduler":
        signs_of_life: Any = await redis.hgetall(keys.SCHEDULERS)
        heard = [float(seen.split()[-1]) for one, seen in signs_of_life.items() if name.fullmatch(one.decode())]
    else:
        members: Any = await redis.smembers(keys.RQ_WORKERS)
        ours = [key for key in members if name.fullmatch(key.decode().removeprefix(_NAMES))]
        found: list[Any] = [await redis.hmget(key, "last_heartbeat", "birth") for key in ours]
        heard = [_unix_s(last or born) for last, born in found]
    return max(0.0, time.time() - max(heard)) if heard else None


def _of_those_that_live(schedulers: list[ProcessView]) -> list[ProcessView]:
    """Leave out what ended without a word while another goes on: it was replaced."""
    return [scheduler for scheduler in schedulers if scheduler.ok] or schedulers[:1]


def _worker(name: str, birth: bytes | None, heard: bytes | None, state: bytes | None) -> ProcessView:
    born = _unix_s(birth)
    view = _view("worker", name, born, _unix_s(heard) or born)
    if view.ok:
        view.state = (state or b"").decode()
    return view


def _view(role: str, name: str, born_s: float, heard_s: float) -> ProcessView:
    now = time.time()
    silent = max(0.0, now - heard_s)
    ok = silent < SILENT_S
    return ProcessView(
        role=role,
        name=name,
        ok=ok,
        age_s=round(max(0.0, now - born_s)),
        silent_s=round(silent, 1),
        state="",
        reason="" if ok else f"said nothing for {silent:.0f} s",
    )


def _unix_s(text: bytes | None) -> float:
    if not text:
        return 0.0
    moment = datetime.fromisoformat(text.decode())
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
