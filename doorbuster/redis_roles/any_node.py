"""A pool whose connections lead to any primary: for subscribers, whose channels have no node. Owns that choice only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redis.asyncio import ConnectionPool

if TYPE_CHECKING:
    from redis.asyncio.connection import AbstractConnection

    from doorbuster.redis_roles.nodes import Nodes


class AnyNode(ConnectionPool):
    """Lends connections of the primaries' own pools, and has none itself."""

    def __init__(self, nodes: Nodes) -> None:
        super().__init__()
        self._nodes = nodes
        self._lent: dict[AbstractConnection, ConnectionPool] = {}

    async def get_connection(self, *arguments: Any, **options: Any) -> Any:
        """Return a connection to some primary.

        Raises:
            NotConnectedError: nothing was sent.
        """
        pool = (await self._nodes.any()).connection_pool
        try:
            connection = await pool.get_connection(*arguments, **options)  # type: ignore[no-untyped-call]
        except BaseException:
            self._nodes.suspect()
            raise
        self._lent[connection] = pool
        return connection

    async def release(self, connection: AbstractConnection) -> None:
        """Give it back to whose it is."""
        await self._lent.pop(connection).release(connection)

    async def disconnect(self, inuse_connections: bool = True) -> None:
        """End idle connections of all primaries; with those in use, every one."""
        if inuse_connections:
            await self._nodes.aclose()
        else:
            await self._nodes.disconnect_idle()

    async def aclose(self) -> None:
        """End every connection."""
        await self._nodes.aclose()
