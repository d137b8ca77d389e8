"""A client that was closed leaves no connection behind, whoever still asks, and whatever was under way."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Collection
from typing import Any

import pytest

from doorbuster.redis_clients import plain_client
from doorbuster.redis_roles.client import RoleClient
from doorbuster.redis_roles.meaning import NotConnectedError
from doorbuster.redis_roles.nodes import Nodes
from doorbuster.redis_roles.urls import Address
from doorbuster.redis_roles.whereabouts import Whereabouts, first_answers
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
    await _none_left(before)


async def test_an_idle_connection_that_is_ended_is_made_again(orders_redis_url: str) -> None:
    async with plain_client(orders_redis_url) as client:
        assert await client.ping()
        await client.connection_pool.disconnect(inuse_connections=False)
        assert await client.ping()


@pytest.mark.parametrize("turns", range(1, 8))
async def test_who_is_given_up_while_closing_leaves_nothing_open(orders_redis_url: str, turns: int) -> None:
    before, client = sockets(), plain_client(orders_redis_url)
    assert await client.ping()
    assert len(connections(before)) == 1
    closing = asyncio.create_task(client.aclose())
    for _ in range(turns):
        await asyncio.sleep(0)
    closing.cancel()
    await asyncio.gather(closing, return_exceptions=True)
    await _none_left(before)


FORMER, SUCCESSOR = Address("former", 1), Address("successor", 2)


class Told:
    """Finds the primary that the test says."""

    every_s: float | None = None

    def __init__(self) -> None:
        self.primary = FORMER

    async def look(self, known: Collection[Address]) -> Whereabouts:
        return Whereabouts([self.primary])


def _roles(url: str) -> tuple[RoleClient, Told]:
    told = Told()
    return RoleClient(Nodes(told, lambda _address: plain_client(url)), timeout_s=3, routes=False), told


async def test_a_primary_that_is_replaced_while_its_client_closes_is_left_too(orders_redis_url: str) -> None:
    before, (client, told) = sockets(), _roles(orders_redis_url)
    assert await client.ping()
    told.primary = SUCCESSOR
    await client.nodes.renew()
    await client.aclose()  # before anybody has begun to let the former one go
    assert connections(before) == []


async def test_who_asks_a_closed_client_of_several_servers_is_refused(orders_redis_url: str) -> None:
    before, (client, _told) = sockets(), _roles(orders_redis_url)
    assert await client.ping()
    await client.aclose()
    for ask in (lambda: client.get("key"), client.ping, client.nodes.renew, client.nodes.primaries):
        with pytest.raises(NotConnectedError, match="closed"):
            await ask()
    client.nodes.suspect()
    with pytest.raises(NotConnectedError, match="closed"):
        client.nodes.at(SUCCESSOR)
    assert connections(before) == []


async def test_an_error_of_who_was_asked_for_somebody_that_gave_up_is_taken() -> None:
    asked, go_on, complaints = asyncio.Event(), asyncio.Event(), []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context["message"]))

    async def ask() -> None:
        asked.set()
        await go_on.wait()
        raise NotConnectedError("as if it had died")

    asking = asyncio.create_task(first_answers([ask]))
    await asked.wait()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    del asking  # whose traceback knows whom it asked
    go_on.set()
    await asyncio.sleep(0.01)
    gc.collect()
    assert complaints == []


async def _none_left(before: set[int]) -> None:
    async def ended() -> bool:
        return connections(before) == []

    await eventually(ended)
