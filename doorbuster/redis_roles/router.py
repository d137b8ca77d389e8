"""Where a command of a role goes, and when it goes again. Owns that decision for single commands and pipelines alike.

A command is sent again only where nothing was run (`meaning.py`): to whom an answer points, or after asking anew who is
the primary, for as long as one command may take. What is unknown is raised, and never repeated.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any, TypeVar

from redis.exceptions import AskError, MovedError, ResponseError

from doorbuster.failures import REDIS_FAILED
from doorbuster.redis_roles.commands import PAUSES_S, Keyless, place_of
from doorbuster.redis_roles.meaning import PrimaryUnknownError, is_pointer, may_pass
from doorbuster.redis_roles.urls import Address

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from redis.asyncio import Redis

    from doorbuster.redis_roles.nodes import Nodes

    T = TypeVar("T")


class Router:
    """The servers of a role, and the way of a command to them."""

    def __init__(self, nodes: Nodes, *, timeout_s: float, routes: bool) -> None:
        """Take the servers, how long nothing-was-run is tried again, and whether keys have slots: a Cluster's do."""
        self.nodes = nodes
        self._timeout_s = timeout_s
        self._routes = routes

    def place_of(self, words: Any) -> int | Keyless:
        """Return the slot of a command, or what one without a key is sent to; one primary alone has every slot."""
        if self._routes:
            return place_of(words)
        return Keyless.SCAN if str(words[0]).upper() == "SCAN" else 0

    async def insist(
        self, slot: int | None, ask: Callable[[Redis], Awaitable[T]], *, asking: tuple[Any, Any] | None = None
    ) -> T:
        """Return what a slot's primary answers, or any's; ask again for as long as nothing was run.

        `asking`: a single command, which may follow a key that has just moved.
        """
        ends, pause = self.ends(), PAUSES_S[0]
        pointed: Redis | None = None
        while True:
            try:
                if pointed is not None and asking is not None:
                    said = await self.at_once(pointed, [asking], asking=True)
                    return _raised(said[0])  # type: ignore[no-any-return]
                return await ask(await self._node(slot))
            except REDIS_FAILED as error:
                was_pointed, pointed = pointed is not None, None
                if isinstance(error, AskError) and is_pointer(error) and asking is not None and not was_pointed:
                    pointed = self.at_pointed(error)
                    continue
                await self.missed(slot, error, pause, ends)
                pause = min(pause * 2, PAUSES_S[1])
            except asyncio.CancelledError:  # whoever waited has given up: perhaps the server hangs
                self.nodes.suspect()
                raise

    def ends(self) -> float:
        """Return until when what was not run is sent again, by the loop's clock."""
        return asyncio.get_running_loop().time() + self._timeout_s

    async def missed(self, slot: int | None, error: Exception, pause_s: float, ends: float) -> None:
        """Return when the same may be sent again, having asked where; else raise the error."""
        if not may_pass(error):
            if not isinstance(error, ResponseError):
                self.nodes.suspect()
            raise error
        if isinstance(error, MovedError) and slot is not None:
            self.nodes.moved(slot, Address(error.host, error.port))
            if pause_s <= PAUSES_S[0]:  # the first time: who was pointed to knows
                return
        await self._pause(pause_s, ends, error)
        if not isinstance(error, MovedError):
            await self.nodes.renew()

    async def _pause(self, seconds: float, ends: float, error: Exception) -> None:
        if asyncio.get_running_loop().time() + seconds >= ends:
            raise error
        await asyncio.sleep(seconds * random.uniform(0.5, 1.0))  # noqa: S311  hides nothing

    async def nodes_of(self, slots: Iterable[int | None]) -> dict[int | None, Redis | None]:
        """Return the client of each slot's primary, of any for no slot; None: it is not known."""
        found: dict[int | None, Redis | None] = {}
        for slot in slots:
            if slot not in found:
                try:
                    found[slot] = await self._node(slot)
                except PrimaryUnknownError:
                    found[slot] = None
        return found

    async def at_once(self, node: Redis | None, commands: Sequence[Any], *, asking: bool = False) -> list[Any]:
        """Return a server's answers to commands in one transmission, errors among them; all of them if it has none.

        `asking`: the server is to take them although their slot is not its own yet.

        Raises:
            RedisError, OSError, TimeoutError: the outcome of all of them is unknown.
        """
        if node is None:
            return [PrimaryUnknownError("no server is known to be the primary now")] * len(commands)
        try:
            async with node.pipeline(transaction=False) as pipe:
                for words, options in commands:
                    if asking:
                        pipe.execute_command("ASKING")
                    pipe.execute_command(*words, **options)
                said: list[Any] = await pipe.execute(raise_on_error=False)
        except REDIS_FAILED as error:
            if may_pass(error):
                return [error] * len(commands)
            self.nodes.suspect()
            raise
        except asyncio.CancelledError:
            self.nodes.suspect()
            raise
        return said[1::2] if asking else said

    def at_pointed(self, error: AskError) -> Redis:
        """Return the client of the server that an answer points to."""
        return self.nodes.at(Address(error.host, error.port))

    async def _node(self, slot: int | None) -> Redis:
        return await (self.nodes.any() if slot is None else self.nodes.of(slot))


def _raised(answer: Any) -> Any:
    if isinstance(answer, Exception):
        raise answer
    return answer
