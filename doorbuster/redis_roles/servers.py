"""A role's servers, for what is asked of each, and the way to the one that has a key. Owns both, for any kind of role.

Whoever asks about a server, not about a key, goes through `primaries`: how full it is, how it keeps data, its clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from doorbuster.redis_roles.client import RoleClient
from doorbuster.redis_roles.commands import PAUSES_S
from doorbuster.redis_roles.nodes import Primary

if TYPE_CHECKING:
    from redis.asyncio import ConnectionPool, Redis


async def primaries(redis: Redis) -> list[Primary]:
    """Return each primary of a role; the name of a single server's is empty, for nobody has to tell it from others.

    Raises:
        PrimaryUnknownError: none is known.
    """
    if not isinstance(redis, RoleClient):
        return [Primary("", redis)]
    redis.nodes.freshen()  # whoever asks about servers may send no command that would be pointed elsewhere
    found = await redis.nodes.primaries()
    return found if len(found) > 1 else [Primary("", found[0].client)]


class KeyRoute(Protocol):
    """The way to the server that has a key, for who sends commands over a connection of its own."""

    async def pool(self) -> ConnectionPool:
        """Return the connections to that server.

        Raises:
            PrimaryUnknownError: it is not known.
        """

    async def missed(self, error: Exception, tries: int) -> None:
        """Return when what was not run may be sent again, to another server perhaps; else raise the error."""

    is_watched: bool
    """Whether each call is to be noted."""

    def touch(self) -> None:
        """Take note of a call: who keeps a connection would not hear of a switch that nothing fails by."""

    def suspect(self) -> None:
        """Take note of a call whose outcome is unknown."""


def route_of(redis: Redis, key: str) -> KeyRoute:
    """Return the way to a key's server."""
    return _Routed(redis, key) if isinstance(redis, RoleClient) else _Direct(redis)


class _Direct:
    """To a single server: there is nowhere else to ask."""

    is_watched = False

    def __init__(self, redis: Redis) -> None:
        self._pool = redis.connection_pool

    async def pool(self) -> ConnectionPool:
        return self._pool

    async def missed(self, error: Exception, tries: int) -> None:  # noqa: ARG002
        raise error

    def touch(self) -> None:
        return

    def suspect(self) -> None:
        return


class _Routed:
    """To the primary that serves a key's slot now."""

    is_watched = True

    def __init__(self, client: RoleClient, key: str) -> None:
        self._router, self._slot = client.router, client.router.place_of(("GET", key))

    async def pool(self) -> ConnectionPool:
        assert isinstance(self._slot, int)
        return (await self._router.nodes.of(self._slot)).connection_pool

    async def missed(self, error: Exception, tries: int) -> None:
        assert isinstance(self._slot, int)
        pause_s = min(PAUSES_S[0] * 2**tries, PAUSES_S[1])
        await self._router.missed(self._slot, error, pause_s, float("inf"))

    def touch(self) -> None:
        self._router.nodes.touch()

    def suspect(self) -> None:
        self._router.nodes.suspect()
