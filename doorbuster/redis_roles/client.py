"""The client of a role that is more than one server: a Cluster, or what sentinels watch. Owns its commands' fan-out.

It keeps a plain client of each primary; which of them a command goes to, and when again, is the router's to say.
Commands without a key have a meaning each (`commands.py`).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from redis.asyncio import Redis

from doorbuster.failures import REDIS_FAILED
from doorbuster.redis_roles.any_node import AnyNode
from doorbuster.redis_roles.commands import Keyless
from doorbuster.redis_roles.meaning import TopologyChangedError, UnroutableError
from doorbuster.redis_roles.pipeline import RolePipeline
from doorbuster.redis_roles.router import Router

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from redis.asyncio.client import Pipeline

    from doorbuster.redis_roles.nodes import Nodes, Primary

_NODE_BITS, _CURSOR_BITS = 16, 64


class RoleClient(Redis):
    """Runs commands on the primaries of a role."""

    def __init__(self, nodes: Nodes, *, timeout_s: float, routes: bool) -> None:
        """Take the servers, how long nothing-was-run is tried again, and whether keys have slots: a Cluster's do."""
        super().__init__(connection_pool=AnyNode(nodes))
        self.auto_close_connection_pool = True
        self.nodes = nodes
        self.router = Router(nodes, timeout_s=timeout_s, routes=routes)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Run a command where its keys are.

        Raises:
            UnroutableError: no single node could run it, or it is not in the table.
            RedisError, OSError, TimeoutError: as of one server.
        """
        place = self.router.place_of(args)
        if place is Keyless.SCAN:
            return await self._scan(*args, **options)
        if place is Keyless.EVERY:
            return await self._every(*args, **options)
        if place is Keyless.BESIDE:
            raise UnroutableError(f"{args[0]} is asked of one node: see `servers.primaries`")
        slot = place if isinstance(place, int) else None

        def ask(node: Redis) -> Awaitable[Any]:
            return node.execute_command(*args, **options)  # type: ignore[no-untyped-call]

        return await self.router.insist(slot, ask, asking=(args, options))

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:  # noqa: ARG002
        """Return a pipeline whose commands may lie in several slots, or a transaction in one."""
        return RolePipeline(self.router, self.connection_pool, self.response_callbacks, transaction=transaction)

    async def _every(self, *args: Any, **options: Any) -> Any:
        primaries = await self.nodes.primaries()

        async def ask(one: Primary) -> Any:
            try:
                return await one.client.execute_command(*args, **options)  # type: ignore[no-untyped-call]
            except REDIS_FAILED:
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
        except REDIS_FAILED:
            self.nodes.suspect()
            raise
        if int(behind) == 0:
            at += 1
        more = int(behind) or at < len(primaries)
        return ((self.nodes.version << _NODE_BITS | at) << _CURSOR_BITS | int(behind) if more else 0), found
