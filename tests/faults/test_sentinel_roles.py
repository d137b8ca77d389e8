"""Stores that sentinels watch, under load: who takes over is found, nothing accepted is lost, nothing is doubled."""

from __future__ import annotations

import asyncio
import time

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


async def test_a_killed_primary_loses_nothing(watched: Watched) -> None:
    async with Buyers(watched.url) as buyers:
        await buyers.more()
        primary, began = watched.primary(), time.monotonic()
        watched.kill(primary)
        other = await asyncio.to_thread(watched.wait_taken_over, primary)
        await asyncio.to_thread(watched.start, primary)
        await asyncio.to_thread(watched.follow, primary, other)
        await buyers.more()
    await buyers.account()
    assert buyers.bought.gap_s(began) < RECOVERED_S


async def test_a_coordinated_switch_loses_nothing(watched: Watched) -> None:
    async with Buyers(watched.url) as buyers:
        await buyers.more()
        primary = watched.primary()
        await asyncio.to_thread(watched.ask_sentinel, "FAILOVER", "watched", "COORDINATED")
        await asyncio.to_thread(watched.wait_taken_over, primary)
        await buyers.more()
    await buyers.account()


async def test_jobs_and_subscribers_find_the_new_primary(watched: Watched, settings: Settings) -> None:
    with job_queue.connect(watched.url, timeout_s=1) as connection:
        queue = job_queue.open_queue(connection)
        assert job_queue.enqueue(queue, "drain:1:0", settings)
        assert not job_queue.enqueue(queue, "drain:1:0", settings)
        async with plain_client(watched.url, timeout_s=10) as jobs:
            assert await jobs.llen(job_queue.QUEUE_KEY) == 1
            primary = watched.primary()
            watched.kill(primary)

            async def waits() -> bool:
                try:
                    return await jobs.llen(job_queue.QUEUE_KEY) == 1
                except REDIS_FAILED:  # of the first, which was on its way to the dead one
                    return False

            await eventually(waits, what="the job to be seen at the new primary")
            assert watched.primary() is not primary
            async with subscription.subscribed(jobs, "channel") as next_message:
                await jobs.publish("channel", b"word")
                assert await next_message(5) == ("channel", b"word") or await next_message(5) == ("channel", b"word")
        assert job_queue.enqueue(queue, "drain:1:1", settings)
        assert job_queue.waiting(queue) == {"drain:1:0", "drain:1:1"}
