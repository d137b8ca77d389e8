"""Clients of the Redis roles, one kind a use. Owns time-outs and retries of each kind; never sends a command itself.

What stands behind a role its URL says (`redis_roles/urls.py`): a single server, a Cluster, or what sentinels watch. A
client of any is a `Redis`; that of several servers finds the primary of a command's keys (`redis_roles/client.py`).

The library's default retries a command ten times. A lost reply would then append an order twice, so the accept client
is made with a `Retry` of zero attempts: `call_with_retry` runs the command once and raises what happened.
"""

from __future__ import annotations

import asyncio
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from doorbuster.redis_roles import urls
from doorbuster.redis_roles.client import RoleClient
from doorbuster.redis_roles.nodes import Nodes
from doorbuster.redis_roles.pools import DRIVER, Pool
from doorbuster.redis_roles.urls import Address, RoleKind
from doorbuster.redis_roles.whereabouts import ClusterAsker, SentinelAsker

BLOCK_MARGIN_S = 2.0
"""How much longer than its `BLOCK` a reader waits for the server."""
ASK_S = 2.0
"""How long who knows where a primary is may take to say so."""


def accept_client(url: str, *, timeout_s: float, connections: int = 16) -> Redis:
    """Make the client of the accept path: never retries; connects within `timeout_s`, all else its caller bounds."""
    return _client(url, timeout_s=timeout_s, connections=connections, step_s=None)


def plain_client(url: str, *, timeout_s: float = 5.0, connections: int = 32) -> Redis:
    """Make a client for short commands; repeats nothing, so that a caller decides what is safe to repeat."""
    return _client(url, timeout_s=timeout_s, connections=connections, step_s=timeout_s)


def reader_client(url: str, *, block_s: float, connections: int = 32) -> Redis:
    """Make a client for commands that block up to `block_s` on the server."""
    timeout_s = block_s + BLOCK_MARGIN_S
    return _client(url, timeout_s=timeout_s, connections=connections, step_s=timeout_s)


def _client(url: str, *, timeout_s: float, connections: int, step_s: float | None) -> Redis:
    said = urls.read(url)

    def connect(address: Address | None) -> Redis:
        return _of_one(said.plain, address, timeout_s=timeout_s, connections=connections, step_s=step_s)

    if said.kind is RoleKind.SINGLE:
        return connect(None)

    def ask(address: Address) -> Redis:
        return _of_one(said.sentinel or said.plain, address, timeout_s=ASK_S, connections=1, step_s=ASK_S)

    if said.kind is RoleKind.CLUSTER:
        return RoleClient(Nodes(ClusterAsker(said.addresses, ask), connect), timeout_s=timeout_s, routes=True)
    asker = SentinelAsker(said.addresses, said.service, ask)
    return RoleClient(Nodes(asker, connect), timeout_s=timeout_s, routes=False)


def _of_one(url: str, address: Address | None, *, timeout_s: float, connections: int, step_s: float | None) -> Redis:
    """Make the client of one server: the URL's, or another with the same credentials."""
    pool = Pool.from_url(
        url,
        max_connections=connections,
        timeout=timeout_s,
        socket_timeout=step_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
        retry_on_timeout=False,
        retry_on_error=[],
        health_check_interval=0,
        driver_info=DRIVER,
    )
    if address is not None:
        pool.connection_kwargs |= address._asdict()
    pool.connection_class = _that_can_be_lost(pool.connection_class)
    return Redis.from_pool(pool)


def _that_can_be_lost(kind: type[Any]) -> type[Any]:
    """Return the connection that says it was lost, where the event loop only says that its transport is closed.

    And that lets go whoever gives up, where the driver does not hear it.
    """

    class Losable(kind):  # type: ignore[misc]
        """A connection whose other end may have reset it between two commands."""

        async def send_packed_command(self, *arguments: Any, **options: Any) -> None:
            """Send a command.

            Raises:
                RedisError: it was lost, or cannot be made.
                CancelledError: whoever sends was cancelled or timed out, also as the command had just been sent. Before
                    Python 3.12 the driver's time-out swallows that, and its task would go on without an end.
            """
            task = asyncio.current_task()
            given_up = task.cancelling() if task else 0
            try:
                await super().send_packed_command(*arguments, **options)
            except RuntimeError as error:  # uvloop's, of a transport that is closed
                await self.disconnect(nowait=True)
                raise RedisConnectionError(f"the connection was lost: {error}") from error
            if task and task.cancelling() > given_up:
                await self.disconnect(nowait=True)  # its answer will be nobody's
                raise asyncio.CancelledError

    return Losable
