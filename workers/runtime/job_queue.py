"""The RQ queue of shifts. Owns its name, its jobs' bounds and how a shift becomes a job, nothing of what shifts do.

RQ is no lock: a shift enqueued twice finds its lease taken and ends at once. The `starting` key and the look at what
waits already only keep that rare.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue
from rq.serializers import JSONSerializer

from doorbuster import keys
from doorbuster.redis_roles import sentinels, urls
from doorbuster.redis_roles.pools import DRIVER
from doorbuster.redis_roles.urls import RoleKind

if TYPE_CHECKING:
    from redis.asyncio import Redis as AsyncRedis

    from doorbuster.settings import Settings

QUEUE = "shifts"
QUEUE_KEY = f"{Queue.redis_queue_namespace_prefix}{QUEUE}"

STARTING_MS = 3_000
"""How long an enqueued shift is taken to be on its way."""
WAIT_TTL_S = 60
"""A job not taken by then is forgotten; the scheduler enqueues another if there is still work."""
FAILURE_TTL_S = 3_600
TIMEOUT_MARGIN_S = 60
"""RQ's time-out is an exception at any bytecode: far beyond the shift's own time budget."""


def connect(url: str, *, timeout_s: float = 5.0) -> Redis:
    """Make RQ's client of the jobs store; repeats nothing, fails within `timeout_s`.

    Of a service that sentinels watch it asks them at each connection who the primary is.
    """
    said = urls.read(url)
    options: dict[str, Any] = {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "retry": Retry(NoBackoff(), 0),
        "retry_on_error": [],
        "driver_info": DRIVER,
    }
    if said.kind is RoleKind.SINGLE:
        return Redis.from_url(said.plain, **options)
    return sentinels.primary(said, options)


def open_queue(connection: Redis) -> Queue:
    """Return the queue of shifts; sends nothing."""
    return Queue(QUEUE, connection=connection, serializer=JSONSerializer)


def enqueue(queue: Queue, shift: str, settings: Settings) -> bool:
    """Enqueue a job for a shift, named like `drain:7:0`, unless one is on its way; say whether it was."""
    if not takes_turn(queue.connection, shift, STARTING_MS):
        return False
    kind, *numbers = shift.split(":")
    queue.enqueue_call(
        f"workers.jobs.{kind}",
        args=tuple(int(number) for number in numbers),
        job_id=f"{'-'.join([kind, *numbers])}_{secrets.token_hex(6)}",
        description=shift,
        timeout=int(settings.shift_s) + TIMEOUT_MARGIN_S,
        ttl=WAIT_TTL_S,
        result_ttl=0,
        failure_ttl=FAILURE_TTL_S,
    )
    return True


def waiting(queue: Queue) -> set[str]:
    """Return the names of the shifts whose jobs wait in the queue."""
    return {job_id.rpartition("_")[0].replace("-", ":") for job_id in queue.job_ids}


def takes_turn(connection: Redis, name: str, milliseconds: int) -> bool:
    """Take a turn at something for so long; say whether it was free."""
    return bool(connection.set(keys.starting(name), "1", nx=True, px=milliseconds))


async def arrived(jobs: AsyncRedis, shift: str) -> None:
    """Let a shift be enqueued again: one of that name is no longer on its way."""
    await jobs.delete(keys.starting(shift))
