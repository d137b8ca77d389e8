"""A worker that its store forgot is known again with its next sign of life, and no alert says that nobody works."""

from __future__ import annotations

import pytest
import redis as sync_redis
from redis.asyncio import Redis

from doorbuster import keys
from doorbuster.settings import Settings
from readiness.processes import processes
from workers.runtime.rq_worker import _make

pytestmark = pytest.mark.versions


@pytest.mark.parametrize("lost", ["all of it", "its own hash"])
async def test_a_worker_that_was_forgotten_is_known_again(settings: Settings, jobs_redis: Redis, lost: str) -> None:
    with sync_redis.Redis.from_url(settings.jobs_redis_url.get_secret_value()) as client:
        worker = _make(client)
        worker.register_birth()
        assert [view.ok for view in await processes(jobs_redis)] == [True]
        client.delete(worker.key, *([keys.RQ_WORKERS] if lost == "all of it" else []))
        assert await processes(jobs_redis) == []
        worker.heartbeat()
        assert [(view.role, view.ok) for view in await processes(jobs_redis)] == [("worker", True)]
        worker.register_death()
        assert await processes(jobs_redis) == []
