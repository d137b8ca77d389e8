"""Clients of the Redis servers, one kind a use. Owns time-outs and retries of each kind; never sends a command itself.

The library's default retries a command ten times. A lost reply would then append an order twice, so the accept client
is made with a `Retry` of zero attempts: `call_with_retry` runs the command once and raises what happened.
"""

from __future__ import annotations

from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

BLOCK_MARGIN_S = 2.0
"""How much longer than its `BLOCK` a reader waits for the server."""


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
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=connections,
        timeout=timeout_s,
        socket_timeout=step_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
        retry_on_timeout=False,
        retry_on_error=[],
        health_check_interval=0,
    )
    pool.connection_class = _that_can_be_lost(pool.connection_class)
    return Redis.from_pool(pool)


def _that_can_be_lost(kind: type[Any]) -> type[Any]:
    """Return the connection that says it was lost, where the event loop only says that its transport is closed."""

    class Losable(kind):  # type: ignore[misc]
        """A connection whose other end may have reset it between two commands."""

        async def send_packed_command(self, *arguments: Any, **options: Any) -> None:
            """Send a command.

            Raises:
                RedisError: it was lost, or cannot be made.
            """
            try:
                await super().send_packed_command(*arguments, **options)
            except RuntimeError as error:  # uvloop's, of a transport that is closed
                await self.disconnect(nowait=True)
                raise RedisConnectionError(f"the connection was lost: {error}") from error

    return Losable
