"""A client that was closed keeps no connection, neither one that was on its way nor one that was in use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from redis.asyncio import Redis

from doorbuster.failures import REDIS_FAILED
from doorbuster.redis_clients import plain_client
from doorbuster.redis_roles.meaning import NotConnectedError
from doorbuster.settings import Settings
from tests.fixtures.proxy import Proxy
from tests.fixtures.waiting import eventually


@pytest.fixture
async def proxy(settings: Settings) -> AsyncIterator[Proxy]:
    with Proxy(settings.orders_redis_url.get_secret_value()) as made:
        yield made


@pytest.fixture
async def client(proxy: Proxy) -> Redis:
    return plain_client(proxy.url)


async def _none_left(proxy: Proxy) -> None:
    async def none() -> bool:
        return proxy.connections == 0

    await eventually(none, what="every connection to be ended")


async def test_what_connects_while_it_is_closed_is_ended(
    client: Redis, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    connects, goes_on = asyncio.Event(), asyncio.Event()
    opened = asyncio.open_connection

    async def held(host: str, port: int, **more: Any) -> Any:
        found = await opened(host, port, **more)
        if port == proxy.port:
            connects.set()
            await goes_on.wait()
        return found

    monkeypatch.setattr(asyncio, "open_connection", held)
    late = asyncio.create_task(client.ping())
    await connects.wait()
    await client.aclose()
    goes_on.set()
    with pytest.raises(NotConnectedError, match="the client is closed"):
        await late
    await _none_left(proxy)


async def test_what_is_asked_after_it_was_closed_connects_to_nothing(client: Redis, proxy: Proxy) -> None:
    await client.ping()
    await client.aclose()
    with pytest.raises(NotConnectedError, match="the client is closed"):
        await client.ping()
    await _none_left(proxy)


async def test_a_connection_that_is_used_on_is_ended_when_it_comes_back(client: Redis, proxy: Proxy) -> None:
    connection = await client.connection_pool.get_connection()
    await client.aclose()
    with suppress(*REDIS_FAILED):
        await connection.send_command("PING")  # which the driver connects for
        await connection.read_response()
    await client.connection_pool.release(connection)
    await _none_left(proxy)
