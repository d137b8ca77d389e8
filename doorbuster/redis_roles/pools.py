"""Pools of connections that say when nothing was sent. Owns that distinction; sends nothing.

The driver raises the same errors where a connection cannot be made and where it is lost behind a command. Only the
first may be repeated, so it has a name of its own: `NotConnectedError`.
"""

from __future__ import annotations

from typing import Any

from redis.asyncio import BlockingConnectionPool
from redis.driver_info import DriverInfo

from doorbuster.failures import REDIS_FAILED
from doorbuster.redis_roles.meaning import not_connected

DRIVER = DriverInfo()
"""What a connection tells its server of the library: each would read the library's version from its package anew."""


class Pool(BlockingConnectionPool):
    """Connections to one server."""

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
