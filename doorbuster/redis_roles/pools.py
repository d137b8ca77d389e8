"""Pools of connections that say when nothing was sent, and stay closed. Owns both; sends nothing.

The driver raises the same errors where a connection cannot be made and where it is lost behind a command. Only the
first may be repeated, so it has a name of its own: `NotConnectedError`. And the driver's pool, once closed, makes
connections for whoever asks it still, and keeps those that come back: nobody closes these.
"""

from __future__ import annotations

from typing import Any

from redis.asyncio import BlockingConnectionPool

from doorbuster.failures import REDIS_FAILED
from doorbuster.redis_roles.meaning import NotConnectedError, not_connected


class Pool(BlockingConnectionPool):
    """Connections to one server."""

    _is_closed = False

    async def get_connection(self, *arguments: Any, **options: Any) -> Any:
        """Return a connection that is ready to send.

        Raises:
            NotConnectedError: none can be made, or none comes free in time.
            RedisError: the server does not take who asks.
        """
        try:
            return await super().get_connection(*arguments, **options)  # type: ignore[no-untyped-call]
        except REDIS_FAILED as error:
            raise not_connected(error) from error

    async def ensure_connection(self, connection: Any) -> None:
        """Connect; not once the pool is closed, also if that was while it connected.

        Raises:
            RedisError: it cannot be made ready to send.
        """
        if not self._is_closed:
            await super().ensure_connection(connection)
        if self._is_closed:
            await connection.disconnect(nowait=True)
            raise NotConnectedError("the client is closed")

    async def release(self, connection: Any) -> None:
        """Take a connection back; who had it may have connected it again since the pool was closed."""
        await super().release(connection)
        if self._is_closed:
            await connection.disconnect(nowait=True)

    async def aclose(self) -> None:
        """End every connection, those in use and those to come too."""
        self._is_closed = True
        await super().aclose()
