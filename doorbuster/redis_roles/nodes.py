"""The servers of a role: a client for each primary, and which of them serves a slot now. Owns that map and its renewal.

Repeats nothing. A primary that is one no more loses its connections: idle ones at once, for they would lead to the
past; those at work a moment later, so that an answer that is under way still comes.
"""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from doorbuster.failures import REDIS_FAILED
from doorbuster.log import shared_context
from doorbuster.redis_roles.meaning import NotConnectedError, PrimaryUnknownError
from doorbuster.redis_roles.whereabouts import Whereabouts

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from doorbuster.redis_roles.urls import Address
    from doorbuster.redis_roles.whereabouts import Asker, Connect

LET_GO_S = 0.5
"""How long a former primary may still answer."""
FRESH_S = 1.0
SUSPECT_S = 0.25
"""The least time between two looks that nobody waits for."""

log = logging.getLogger("doorbuster.redis_roles")


class Primary(NamedTuple):
    """A primary, and how it is reached."""

    name: str
    client: Redis


class Nodes:
    """The primaries of one role, as one client sees them."""

    def __init__(self, asker: Asker, connect: Connect) -> None:
        self._asker, self._connect = asker, connect
        self._where = Whereabouts([None])
        self._clients: dict[Address, Redis] = {}
        self._looking: asyncio.Task[None] | None = None
        self._looked = float("-inf")
        self._leaving: dict[asyncio.Task[None], Redis] = {}
        self._is_closed = False
        self.version = 0
        """Goes up whenever a slot has another primary."""

    async def of(self, slot: int) -> Redis:
        """Return the client of the primary that serves a slot.

        Raises:
            PrimaryUnknownError: none is known to.
            NotConnectedError: the client was closed.
        """
        self.touch()
        address = self._where.of(slot)
        if address is None:
            await self.renew()
            address = self._where.of(slot)
        if address is None:
            raise PrimaryUnknownError("no server is known to be the primary now")
        return self._client(address)

    async def any(self) -> Redis:
        """Return the client of some primary."""
        return random.choice(await self.primaries()).client  # noqa: S311  hides nothing

    async def primaries(self) -> list[Primary]:
        """Return all of them, in an order that stays.

        Raises:
            PrimaryUnknownError: none is known.
            NotConnectedError: the client was closed.
        """
        if not (found := self._where.primaries):
            await self.renew()
            found = self._where.primaries
        if not found:
            raise PrimaryUnknownError("no server is known to be a primary now")
        return [Primary(str(address), self._client(address)) for address in found]

    @property
    def is_whole(self) -> bool:
        """Whether every slot is served, as far as is known."""
        return self._where.is_whole

    def at(self, address: Address) -> Redis:
        """Return the client of a server that another one has pointed to.

        Raises:
            NotConnectedError: the client was closed.
        """
        return self._client(address)

    def moved(self, slot: int, address: Address) -> None:
        """Take a server's word that another one serves a slot now, and look at the whole of it beside."""
        if len(self._where.owners) > 1 and self._where.of(slot) != address:
            owners = list(self._where.owners)
            owners[slot] = address
            self._take(Whereabouts(owners, self._where.known | {address}))
        self.suspect()

    async def renew(self) -> None:
        """Look again, together with whoever waits for that already.

        Raises:
            NotConnectedError: the client was closed.
        """
        self._refuse_if_closed()
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(), context=shared_context())
        await asyncio.shield(self._looking)

    def suspect(self) -> None:
        """Look again soon; nobody waits for it."""
        loop = asyncio.get_running_loop()
        if self._is_closed:
            return
        if loop.time() - self._looked > SUSPECT_S and (self._looking is None or self._looking.done()):
            self._looking = loop.create_task(self._look(), context=shared_context())

    def freshen(self) -> None:
        """Look again if the last time was more than a second ago; nobody waits for it."""
        if asyncio.get_running_loop().time() - self._looked > FRESH_S:
            self.suspect()

    def touch(self) -> None:
        """Look again if the last time was long ago, where servers do not say themselves that they were replaced."""
        every_s = self._asker.every_s
        if every_s is not None and asyncio.get_running_loop().time() - self._looked > every_s:
            self.suspect()

    async def disconnect_idle(self) -> None:
        """End the connections that nobody uses."""
        for client in list(self._clients.values()):
            await client.connection_pool.disconnect(inuse_connections=False)

    async def aclose(self) -> None:
        """End every connection; who still asks is refused."""
        self._is_closed = True
        tasks = [task for task in (self._looking, *self._leaving) if task is not None]
        clients = [*self._clients.values(), *self._leaving.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for client in clients:
            await client.aclose()

    def _client(self, address: Address) -> Redis:
        self._refuse_if_closed()
        if (client := self._clients.get(address)) is None:
            client = self._clients[address] = self._connect(address)
        return client

    def _refuse_if_closed(self) -> None:
        if self._is_closed:
            raise NotConnectedError("the client was closed")

    async def _look(self) -> None:
        self._looked = asyncio.get_running_loop().time()
        found = await self._asker.look(self._where.known)
        if found is None:
            log.warning("nobody says which server is the primary")
        else:
            self._take(found)

    def _take(self, found: Whereabouts) -> None:
        before, self._where = self._where, found
        if before.owners == found.owners:
            return
        self.version += 1
        primaries = set(found.primaries)
        if before.primaries and found.primaries != before.primaries:
            log.warning("primaries changed", extra={"primaries": [str(one) for one in sorted(primaries)]})
        for address in [one for one in self._clients if one not in primaries]:
            self._dismiss(self._clients.pop(address))

    def _dismiss(self, client: Redis) -> None:
        task = asyncio.create_task(self._let_go(client), context=shared_context())
        self._leaving[task] = client
        task.add_done_callback(self._leaving.pop)

    @staticmethod
    async def _let_go(client: Redis) -> None:
        with suppress(*REDIS_FAILED):
            await client.connection_pool.disconnect(inuse_connections=False)
        await asyncio.sleep(LET_GO_S)
        with suppress(*REDIS_FAILED):
            await client.aclose()
