"""Pools of connections that say when nothing was sent, and end for good. Owns both; sends nothing.

The driver raises the same errors where a connection cannot be made and where it is lost behind a command. Only the
first may be repeated, so it has a name of its own: `NotConnectedError`.

A pool of the driver's connects anew after its client was closed. What still ran beside (a copy that is read anew, a
call whose answer nobody waits for) would leave a connection open that nobody knows of: here it is refused.
"""

from __future__ import annotations

from typing import Any

from redis.asyncio import BlockingConnectionPool
from redis.driver_info import DriverInfo

from doorbuster.failures import REDIS_FAILED
from doorbuster.redis_roles.meaning import NotConnectedError, not_connected

DRIVER = DriverInfo()
"""What a connection tells its server of the library: each would read the library's version from its package anew."""


class Pool(BlockingConnectionPool):
    """Connections to one server, until its client is closed."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._is_closed = False

    async def get_connection(self, *arguments: Any, **options: Any) -> Any:
        """Return a connection that is ready to send.

        Raises:
            NotConnectedError: none can be made, none comes free in time, or the client was closed.
            RedisError: the server does not take who asks.
        """
        if self._is_closed:
            raise NotConnectedError("the client was closed")
        try:
            connection = await super().get_connection(*arguments, **options)  # type: ignore[no-untyped-call]
        except REDIS_FAILED as error:
            raise not_connected(error) from error
        if self._is_closed:  # while this one was being made
            await self.release(connection)
            raise NotConnectedError("the client was closed")
        return connection

    async def release(self, connection: Any) -> None:
        """Take a connection back; none stays open once the client was closed."""
        if self._is_closed:
            await connection.disconnect(nowait=True)
        await super().release(connection)

    async def disconnect(self, inuse_connections: bool = True) -> None:
        """End connections: those that nobody uses, or all and for good, as a client does that is closed."""
        self._is_closed = self._is_closed or inuse_connections
        ended = [*self._available_connections, *(self._in_use_connections if inuse_connections else ())]
        for connection in ended:  # without a pause, in which whoever closes could be given up and leave them open
            await connection.disconnect(nowait=True)
        await super().disconnect(inuse_connections)
