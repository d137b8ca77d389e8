"""A client that was closed leaves no connection behind, whoever still asks, and whatever was under way."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from doorbuster.redis_clients import plain_client
from doorbuster.redis_roles.meaning import NotConnectedError
from tests.fixtures.ending_loops import connections, sockets
from tests.fixtures.waiting import eventually


async def test_who_asks_a_closed_client_is_refused(orders_redis_url: str) -> None:
    before, client = sockets(), plain_client(orders_redis_url)
    assert await client.ping()
    assert len(connections(before)) == 1
    await client.aclose()
    with pytest.raises(NotConnectedError, match="closed"):
        await client.ping()
    assert connections(before) == []


async def test_a_connection_that_was_being_made_is_ended(
    orders_redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect, begun, go_on = asyncio.open_connection, asyncio.Event(), asyncio.Event()

    async def held(**where: Any) -> Any:
        begun.set()
        await go_on.wait()
        return await connect(**where)

    monkeypatch.setattr(asyncio, "open_connection", held)
    before, client = sockets(), plain_client(orders_redis_url)
    asking = asyncio.create_task(client.ping())
    await begun.wait()
    await client.aclose()
    go_on.set()
    with pytest.raises(NotConnectedError, match="closed"):
        await asking
    assert connections(before) == []


async def test_a_connection_that_is_used_on_is_ended_when_it_comes_back(orders_redis_url: str) -> None:
    before, client = sockets(), plain_client(orders_redis_url)
    connection = await client.connection_pool.get_connection()
    await client.aclose()
    await connection.send_command("PING")  # for which the driver connects anew
    assert await connection.read_response() == b"PONG"
    assert len(connections(before)) == 1
    await client.connection_pool.release(connection)

    async def ended() -> bool:
        return connections(before) == []

    await eventually(ended)


async def test_an_idle_connection_that_is_ended_is_made_again(orders_redis_url: str) -> None:
    async with plain_client(orders_redis_url) as client:
        assert await client.ping()
        await client.connection_pool.disconnect(inuse_connections=False)
        assert await client.ping()
