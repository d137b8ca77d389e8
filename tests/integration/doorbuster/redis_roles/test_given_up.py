"""Who gives up asking while a command is being sent has given up: a time-out and the end of a process count on it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection

from doorbuster.redis_clients import plain_client, reader_client
from doorbuster.redis_roles.subscription import subscribed
from tests.fixtures.waiting import end

pytestmark = pytest.mark.versions

_sent = AbstractConnection._send_packed_command


@pytest.fixture
def given_up(monkeypatch: pytest.MonkeyPatch) -> set[asyncio.Task[Any]]:
    """Tasks that are cancelled once, in the moment in which a command of theirs has been sent."""
    given_up: set[asyncio.Task[Any]] = set()

    async def send(self: AbstractConnection, *command: Any) -> None:
        await _sent(self, *command)
        while given_up:
            asyncio.get_running_loop().call_soon(given_up.pop().cancel)  # before they hear that it has been sent

    monkeypatch.setattr(AbstractConnection, "_send_packed_command", send)
    return given_up


async def test_a_command_that_is_given_up_as_it_is_sent_is_not_waited_for(
    orders_redis_url: str, given_up: set[asyncio.Task[Any]]
) -> None:
    async with plain_client(orders_redis_url, connections=1) as client:
        assert await client.set("key", "value")
        asking = asyncio.create_task(client.get("key"))
        given_up.add(asking)
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert await client.ping(), "the answer to the other command is nobody's"


async def test_a_subscription_that_is_given_up_as_it_is_begun_ends(
    orders_redis_url: str, given_up: set[asyncio.Task[Any]]
) -> None:
    async with reader_client(orders_redis_url, block_s=1) as client:
        hearing = asyncio.create_task(_hear(client))
        given_up.add(hearing)
        try:
            done, _ = await asyncio.wait([hearing], timeout=15)
            assert done, "it goes on as if it had not been cancelled"
        finally:
            await end(hearing)


async def _hear(redis: Redis) -> None:
    async with subscribed(redis, "channel") as next_message:
        while True:
            await next_message(1)
