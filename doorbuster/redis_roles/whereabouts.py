"""Which server is whose primary now: asked of a Cluster's nodes, or of sentinels. Owns the asking and what counts.

Several are asked at once, for one of them may hang, or be cut off and speak of the past. Where they differ the claim of
the highest configuration epoch counts, by which the servers themselves settle it.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from doorbuster.failures import REDIS_FAILED
from doorbuster.redis_roles.commands import SLOTS
from doorbuster.redis_roles.urls import Address

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence

    from redis.asyncio import Redis

    Connect = Callable[[Address], Redis]

ASKED_MAX = 8
"""Nodes of a Cluster, or sentinels, that are asked at a time."""
WITHIN_S = 2.0
"""How long the first answer may take."""
GRACE_S = 0.05
"""How long others are waited for behind it: one of them may know more."""


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """The primaries of a role."""

    owners: Sequence[Address | None]
    """By slot, None where nobody serves it; a single one serves every slot."""
    known: frozenset[Address] = frozenset()
    """Servers that may be asked the next time, replicas too."""

    def of(self, slot: int) -> Address | None:
        """Return the primary of a slot."""
        return self.owners[slot if len(self.owners) > 1 else 0]

    @property
    def primaries(self) -> list[Address]:
        """Return each primary once, in an order that stays."""
        return sorted({one for one in self.owners if one is not None})

    @property
    def is_whole(self) -> bool:
        """Whether every slot is served."""
        return None not in self.owners


class Asker(Protocol):
    """What finds primaries."""

    every_s: float | None
    """How often to ask while the role is in use though nothing fails; None: servers say themselves who moved."""

    async def look(self, known: Collection[Address]) -> Whereabouts | None:
        """Return where primaries are, None if nobody answers."""


class SlotClaim(NamedTuple):
    """A range of slots, and whose it is said to be."""

    first: int
    last: int
    owner: Address
    epoch: int


@dataclass(slots=True)
class NodeView:
    """What one node of a Cluster says."""

    claims: list[SlotClaim] = field(default_factory=list)
    failed: set[Address] = field(default_factory=set)
    known: set[Address] = field(default_factory=set)


class ClusterAsker:
    """Asks the nodes of a Cluster."""

    every_s: float | None = None

    def __init__(self, seeds: Sequence[Address], connect: Connect) -> None:
        self._seeds, self._connect = seeds, connect

    async def look(self, known: Collection[Address]) -> Whereabouts | None:
        """Ask nodes that are known, and some of those that the URL names."""
        others = [one for one in known if one not in self._seeds]
        asked = [*random.sample(self._seeds, min(len(self._seeds), ASKED_MAX // 2))]
        asked += random.sample(others, min(len(others), ASKED_MAX - len(asked)))
        views = await first_answers([partial(self._ask, one) for one in asked])
        return merged(views) if views else None

    async def _ask(self, address: Address) -> NodeView:
        client = self._connect(address)
        try:
            async with client.pipeline(transaction=False) as pipe:
                pipe.execute_command("CLUSTER", "SLOTS")
                pipe.execute_command("CLUSTER", "NODES")
                slots, nodes = await pipe.execute()
        finally:
            await client.aclose()
        return view_of(slots, nodes, address)


class SentinelAsker:
    """Asks sentinels."""

    every_s: float | None = 1.0

    def __init__(self, sentinels: Sequence[Address], service: str, connect: Connect) -> None:
        self._sentinels, self._service, self._connect = sentinels, service, connect

    async def look(self, known: Collection[Address]) -> Whereabouts | None:  # noqa: ARG002 - sentinels are in the URL
        """Ask the sentinels."""
        asked = random.sample(self._sentinels, min(len(self._sentinels), ASKED_MAX))
        found = await first_answers([partial(self._ask, one) for one in asked])
        if not found:
            return None
        _, address = max(found)
        return Whereabouts([address])

    async def _ask(self, address: Address) -> tuple[int, Address]:
        """Return the primary and the epoch it is from; who does not watch the service says so by an error."""
        client = self._connect(address)
        try:
            said: Any = await client.sentinel_master(self._service)
        finally:
            await client.aclose()
        return int(said.get("config-epoch", 0)), Address(str(said["ip"]), int(said["port"]))


async def first_answers(asking: Iterable[Callable[[], Awaitable[Any]]]) -> list[Any]:
    """Return what is answered soon after the first answer; who fails or is slow is left out."""
    pending = {asyncio.ensure_future(ask()) for ask in asking}
    answers: list[Any] = []
    loop = asyncio.get_running_loop()
    ends = loop.time() + WITHIN_S
    try:
        while pending and (left := ends - loop.time()) > 0:
            done, pending = await asyncio.wait(pending, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                error = one.exception()
                if error is None:
                    answers.append(one.result())
                    ends = min(ends, loop.time() + GRACE_S)
                elif not isinstance(error, REDIS_FAILED):
                    raise error
    finally:
        for one in pending:  # each ends by itself in time: to cut a connection off while it is made would leave it open
            _late.add(one)
            one.add_done_callback(_forget)
    return answers


_late: set[asyncio.Future[Any]] = set()
"""Askings that nobody waits for any more."""


def _forget(asked: asyncio.Future[Any]) -> None:
    _late.discard(asked)
    if not asked.cancelled():
        asked.exception()  # somebody else has answered


def view_of(slots: list[Any], nodes: bytes, asked: Address) -> NodeView:
    """Return what a node says, by its answers to CLUSTER SLOTS and CLUSTER NODES."""
    epochs, failing = _nodes(nodes)
    view = NodeView()
    for first, last, *servers in slots:
        for place, (endpoint, port, node_id, *_) in enumerate(servers):
            address = _address(endpoint, port, asked)
            if address is None:
                continue
            view.known.add(address)
            if place == 0:
                view.claims.append(SlotClaim(int(first), int(last), address, epochs.get(node_id, 0)))
                if node_id in failing:
                    view.failed.add(address)
    return view


def merged(views: Sequence[NodeView]) -> Whereabouts:
    """Return what several nodes say together: the newest claim of each slot, but no primary that most call failed."""
    owners: list[Address | None] = [None] * SLOTS
    for claim in sorted((claim for view in views for claim in view.claims), key=lambda claim: claim.epoch):
        owners[claim.first : claim.last + 1] = [claim.owner] * (claim.last + 1 - claim.first)
    said = Counter(address for view in views for address in view.failed)
    failed = {address for address, times in said.items() if 2 * times > len(views)}
    if failed:
        owners = [None if owner in failed else owner for owner in owners]
    return Whereabouts(owners, frozenset(address for view in views for address in view.known))


def _nodes(said: bytes) -> tuple[dict[bytes, int], set[bytes]]:
    """Return each node's configuration epoch, and the nodes that count as failed."""
    epochs, failing = {}, set()
    for line in said.splitlines():
        words = line.split()
        if len(words) < 8:
            continue
        epochs[words[0]] = int(words[6])
        if b"fail" in words[2].split(b","):
            failing.add(words[0])
    return epochs, failing


def _address(endpoint: bytes | None, port: int, asked: Address) -> Address | None:
    """Return where a node is reached; one that does not know its own name is reached where it was asked."""
    if endpoint in (b"", b"?"):
        return None
    return Address(asked.host if endpoint is None else _text(endpoint), int(port))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
