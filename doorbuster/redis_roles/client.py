"""The client of a role that is more than one server: a Cluster, or what sentinels watch. Owns where each command goes.

It keeps a plain client of each primary, and sends a command again only where nothing was run (`meaning.py`): to whom an
answer points, or after it has asked anew who the primary is, for as long as one command may take. What is unknown is
raised, and never repeated. Commands without a key have a meaning each (`commands.py`).
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any, TypeVar

from redis.asyncio import Redis
from redis.exceptions import AskError, MovedError, RedisError, ResponseError

from doorbuster.redis_roles.any_node import AnyNode
from doorbuster.redis_roles.commands import PAUSES_S, Keyless, place_of
from doorbuster.redis_roles.meaning import (
    NoPrimaryError,
    TopologyChangedError,
    UnroutableError,
    is_pointer,
    may_pass,
)
from doorbuster.redis_roles.pipeline import RolePipeline
from doorbuster.redis_roles.urls import Address

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from redis.asyncio.client import Pipeline

    from doorbuster.redis_roles.nodes import Nodes, Primary

    T = TypeVar("T")

_NODE_BITS, _CURSOR_BITS = 16, 64


class RoleClient(Redis):
    """Runs commands on the primaries of a role."""

    def __init__(self, nodes: Nodes, *, timeout_s: float, routes: bool) -> None:
        """Take the servers, how long nothing-was-run is tried again, and whether keys have slots: a Cluster's do."""
        super().__init__(connection_pool=AnyNode(nodes))
        self.auto_close_connection_pool = True
        self.nodes = nodes
        self._timeout_s = timeout_s
        self._routes = routes

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Run a command where its keys are.

        Raises:
            UnroutableError: no single node could run it, or it is not in the table.
            RedisError, OSError, TimeoutError: as of one server.
        """
        place = self.place_of(args)
        if place is Keyless.SCAN:
            return await self._scan(*args, **options)
        if place is Keyless.EVERY:
            return await self._every(*args, **options)
        if place is Keyless.BESIDE:
            raise UnroutableError(f"{args[0]} is asked of one node: see `servers.primaries`")
        slot = place if isinstance(place, int) else None

        def ask(node: Redis) -> Awaitable[Any]:
            return node.execute_command(*args, **options)  # type: ignore[no-untyped-call]

        return await self.insist(slot, ask, asking=(args, options))

    def place_of(self, words: Any) -> int | Keyless:
        """Return the slot of a command, or what one without a key is sent to; one primary alone has every slot."""
        if self._routes:
            return place_of(words)
        return Keyless.SCAN if str(words[0]).upper() == "SCAN" else 0

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:  # noqa: ARG002
        """Return a pipeline whose commands may lie in several slots, or a transaction in one."""
        return RolePipeline(self, transaction=transaction)

    async def insist(
        self, slot: int | None, ask: Callable[[Redis], Awaitable[T]], *, asking: tuple[Any, Any] | None = None
    ) -> T:
        """Return what a slot's primary answers, or any's; ask again for as long as nothing was run.

        `asking`: a single command, which may follow a key that has just moved.
        """
        ends, pause = self.ends(), PAUSES_S[0]
        points: AskError | None = None
        while True:
            try:
                if points is not None and asking is not None:
                    said = await self.at_once(self.at_pointed(points), [asking], asking=True)
                    return _raised(said[0])  # type: ignore[no-any-return]
                return await ask(await self._node(slot))
            except (RedisError, OSError, TimeoutError) as error:
                points = error if isinstance(error, AskError) and is_pointer(error) and points is None else None
                if points is None or asking is None:
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
                except NoPrimaryError:
                    found[slot] = None
        return found

    async def at_once(self, node: Redis | None, commands: Sequence[Any], *, asking: bool = False) -> list[Any]:
        """Return a server's answers to commands in one transmission, errors among them; all of them if it has none.

        `asking`: the server is to take them although their slot is not its own yet.

        Raises:
            RedisError, OSError, TimeoutError: the outcome of all of them is unknown.
        """
        if node is None:
            return [NoPrimaryError("no server is known to be the primary now")] * len(commands)
        try:
            async with node.pipeline(transaction=False) as pipe:
                for words, options in commands:
                    if asking:
                        pipe.execute_command("ASKING")
                    pipe.execute_command(*words, **options)
                said: list[Any] = await pipe.execute(raise_on_error=False)
        except (RedisError, OSError, TimeoutError) as error:
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

    async def _every(self, *args: Any, **options: Any) -> Any:
        primaries = await self.nodes.primaries()

        async def ask(one: Primary) -> Any:
            try:
                return await one.client.execute_command(*args, **options)  # type: ignore[no-untyped-call]
            except (RedisError, OSError, TimeoutError):
                self.nodes.suspect()
                raise

        answers = await asyncio.gather(*map(ask, primaries), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return answers[0]

    async def _scan(self, name: str, cursor: Any, *args: Any, **options: Any) -> Any:
        """Go through each primary's keys in turn; the cursor says in which map, at which primary and where there."""
        primaries = await self.nodes.primaries()
        packed, mask = int(cursor), (1 << _CURSOR_BITS) - 1
        version, at = packed >> (_CURSOR_BITS + _NODE_BITS), packed >> _CURSOR_BITS & ((1 << _NODE_BITS) - 1)
        if packed and version != self.nodes.version:
            raise TopologyChangedError("keys moved to other servers while they were gone through")
        try:
            node: Any = primaries[at].client
            behind, found = await node.execute_command(name, packed & mask, *args, **options)
        except (RedisError, OSError, TimeoutError):
            self.nodes.suspect()
            raise
        if int(behind) == 0:
            at += 1
        more = int(behind) or at < len(primaries)
        return ((self.nodes.version << _NODE_BITS | at) << _CURSOR_BITS | int(behind) if more else 0), found


def _raised(answer: Any) -> Any:
    if isinstance(answer, Exception):
        raise answer
    return answer
