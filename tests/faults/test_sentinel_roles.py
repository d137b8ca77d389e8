"""Stores that sentinels watch, under load: who takes over is found, nothing accepted is lost, nothing is doubled."""

from __future__ import annotations

import asyncio
import time

import pytest
from redis.asyncio import Redis

from doorbuster.failures import REDIS_FAILED
from doorbuster.redis_clients import plain_client
from doorbuster.redis_roles import subscription
from doorbuster.settings import Settings
from tests.fixtures.cluster_load import Buyers
from tests.fixtures.valkey_sentinel import Watched
from tests.fixtures.waiting import eventually
from workers.runtime import job_queue

RECOVERED_S = 12.0
"""From the primary's death to the first order accepted with a replica again, where the dead one is started at once."""


async def test_a_killed_primary_loses_nothing_and_jobs_and_subscribers_find_the_new_one(
    watched: Watched, settings: Settings
) -> None:
    with job_queue.connect(watched.url, timeout_s=1) as connection:
        queue = job_queue.open_queue(connection)
        assert job_queue.enqueue(queue, "drain:1:0", settings)
        assert not job_queue.enqueue(queue, "drain:1:0", settings)
        async with Buyers(watched.url) as buyers, plain_client(watched.url, timeout_s=10) as jobs:
            await buyers.more()
            assert await _waiting(jobs) == 1
            primary, began = watched.primary(), time.monotonic()
            watched.kill(primary)
            other = await asyncio.to_thread(watched.wait_taken_over, primary)
            assert await eventually(lambda: _waiting(jobs), what="the job to be seen at the new primary") == 1
            await asyncio.to_thread(watched.start, primary)
            await asyncio.to_thread(watched.follow, primary, other)
            await buyers.more()
            async with subscription.subscribed(jobs, "channel") as next_message:

                async def heard() -> tuple[str, bytes] | None:
                    await jobs.publish("channel", b"word")
                    return await next_message(1)

                assert await eventually(heard, what="a message") == ("channel", b"word")
        assert await asyncio.to_thread(job_queue.enqueue, queue, "drain:1:1", settings)
        assert job_queue.waiting(queue) == {"drain:1:0", "drain:1:1"}
    await buyers.account()
    assert buyers.bought.gap_s(began) < RECOVERED_S


async def _waiting(jobs: Redis) -> int:
    try:
        return int(await jobs.llen(job_queue.QUEUE_KEY))
    except REDIS_FAILED:  # of the first, which was on its way to the dead one
        return 0


@pytest.mark.soak
async def test_a_coordinated_switch_loses_nothing(watched: Watched) -> None:
    async with Buyers(watched.url) as buyers:
        await buyers.more()
        primary = watched.primary()
        await asyncio.to_thread(watched.ask_sentinel, "FAILOVER", "watched", "COORDINATED")
        await asyncio.to_thread(watched.wait_taken_over, primary)
        await buyers.more()
    await buyers.account()
