"""A Valkey cluster of running servers: how it is formed, and how it stands. Owns its nodes' settings and its slots.

Never starts or ends a server. Every step may be made again: a half-formed cluster of a killed run is formed to its end,
one that failed over since stays as it is.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from doorbuster.embedded.stores.valkey import Valkey
from doorbuster.errors import StoreUnavailableError
from doorbuster.failures import REDIS_FAILED
from doorbuster.ports import LOOPBACK

SLOTS = 16_384
NODE_TIMEOUT_MS = 2_000
"""How long a node may be silent: a killed primary is replaced after about half as long again."""
_ANSWER_S, _LOOK_S = 1.0, 0.05


class ClusterNode(Valkey):
    """One server of a cluster."""

    def __init__(
        self, role: str, folder: Path, log: Path, *, ports: tuple[int, int], password: str,
        more: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        """Take its ports, for clients and for the other nodes, the cluster's password, and settings of its own."""
        settings = {
            "cluster-enabled": "yes",
            "cluster-config-file": "nodes.conf",
            "cluster-port": str(ports[1]),
            "cluster-announce-ip": LOOPBACK,
            "cluster-node-timeout": str(NODE_TIMEOUT_MS),
            "cluster-require-full-coverage": "no",  # where a slot is away, the others serve
            "cluster-allow-replica-migration": "no",
            "masterauth": password,
            "repl-diskless-sync-delay": "0",
        }
        super().__init__(role, folder, log, port=ports[0], password=password, more=settings | dict(more or {}))
        self.bus = ports[1]


@dataclass(frozen=True)
class Member:
    """A node as another, or itself, sees it."""

    node_id: str
    port: int
    flags: frozenset[str]
    primary_id: str | None
    ranges: tuple[range, ...]

    @property
    def slots(self) -> frozenset[int]:
        """Its slots."""
        return frozenset(slot for part in self.ranges for slot in part)

    @property
    def is_primary(self) -> bool:
        """Whether it takes writes: it says so, and has slots."""
        return "master" in self.flags and bool(self.ranges) and not self.flags & {"fail", "noaddr", "handshake"}


def form(nodes: Sequence[ClusterNode], *, within_s: float = 30.0) -> None:
    """Make one cluster of running servers, the first half of them primaries when they are new.

    Raises:
        StoreUnavailableError: it is not whole in time.
    """
    deadline = time.monotonic() + within_s
    while not bring_together(nodes):
        if time.monotonic() > deadline:
            raise StoreUnavailableError(f"the {nodes[0].role} cluster is not whole after {within_s:g} s")
        time.sleep(_LOOK_S)


def bring_together(nodes: Sequence[ClusterNode]) -> bool:
    """Go one step towards a whole cluster; return whether it is whole: every slot served, every replica following."""
    try:
        seen = [members(node) for node in nodes]
        own = [_myself(some) for some in seen]
        if not all(_knows(some, own, nodes) for some in seen):
            _introduce(nodes, own, seen)
            return False
        if missing := set(range(SLOTS)).difference(*(one.slots for one in own)):
            _share_out(nodes, own, missing)
            return False
        if _follow(nodes, own):
            return False
        return all(_is_whole(node) for node in nodes)
    except REDIS_FAILED:
        return False  # not up yet, or it has not heard yet of what it is to do: the next step tries again


def members(node: Valkey, *, within_s: float = _ANSWER_S) -> list[Member]:
    """Return the nodes that one node knows, itself among them (flag `myself`).

    Raises:
        RedisError, OSError: it does not answer.
    """
    with _client(node, within_s) as client:
        return [_member(line) for line in _told(client, "NODES").splitlines() if line.strip()]


def _member(line: str) -> Member:
    node_id, address, flags, primary, _, _, _, _, *slots = line.split()
    port = address.partition("@")[0].rpartition(":")[2]
    return Member(
        node_id=node_id,
        port=int(port),
        flags=frozenset(flags.split(",")),
        primary_id=None if primary == "-" else primary,
        ranges=tuple(_range(part) for part in slots if part[0] != "["),
    )


def _range(part: str) -> range:
    first, _, last = part.partition("-")
    return range(int(first), int(last or first) + 1)


def _myself(some: Sequence[Member]) -> Member:
    return next(one for one in some if "myself" in one.flags)


def _knows(some: Sequence[Member], own: Sequence[Member], nodes: Sequence[Valkey]) -> bool:
    """Say whether a node knows all of them, where they are now."""
    known = {one.node_id: one.port for one in some if not one.flags & {"handshake", "noaddr"}}
    return all(known.get(one.node_id) == node.port for one, node in zip(own, nodes, strict=True))


def _introduce(nodes: Sequence[ClusterNode], own: Sequence[Member], seen: Sequence[Sequence[Member]]) -> None:
    """Have every node that does not know all of them meet them where they are now."""
    for number, (node, some, one) in enumerate(zip(nodes, seen, own, strict=True), 1):
        with _client(node) as client:
            if len(some) == 1 and not one.ranges and "master" in one.flags:
                _set_epoch(client, number)
            for other in nodes if not _knows(some, own, nodes) else ():
                if other is not node:
                    _told(client, "MEET", LOOPBACK, other.port, other.bus)


def _set_epoch(client: redis.Redis, number: int) -> None:
    """Give a new node an epoch of its own: of two that have the same one gives way, and their slots may go astray."""
    if "cluster_current_epoch:0" in _told(client, "INFO").split():
        _told(client, "SET-CONFIG-EPOCH", number)


def _share_out(nodes: Sequence[ClusterNode], own: Sequence[Member], missing: set[int]) -> None:
    """Give slots that nobody has to the primaries of a new cluster, in equal parts."""
    count = len(nodes) // 2
    for number in range(count):
        if "master" not in own[number].flags:
            continue
        part = range(SLOTS * number // count, SLOTS * (number + 1) // count)
        if ranges := _ranges(missing.intersection(part)):
            with _client(nodes[number]) as client:
                _told(client, "ADDSLOTSRANGE", *ranges)


def _ranges(slots: set[int]) -> list[int]:
    """Return slots as the first and last of each range, one after another."""
    ordered = sorted(slots)
    starts = [slot for slot in ordered if slot - 1 not in slots]
    ends = [slot for slot in ordered if slot + 1 not in slots]
    return [slot for pair in zip(starts, ends, strict=True) for slot in pair]


def _follow(nodes: Sequence[ClusterNode], own: Sequence[Member]) -> bool:
    """Have each primary without slots follow the primary that has the fewest replicas; return whether any had to."""
    followers = {one.node_id: 0 for one in own if one.ranges}
    for one in own:
        if one.primary_id in followers:
            followers[one.primary_id] += 1
    spare = [(node, one) for node, one in zip(nodes, own, strict=True) if "master" in one.flags and not one.ranges]
    for node, _ in spare:
        least = min(followers, key=lambda node_id: followers[node_id])
        followers[least] += 1
        with _client(node) as client:
            _told(client, "REPLICATE", least)
    return bool(spare)


def _is_whole(node: ClusterNode) -> bool:
    with _client(node) as client:
        told = _told(client, "INFO").split()
        link = client.info("replication").get("master_link_status", "up")
    return {"cluster_state:ok", f"cluster_slots_ok:{SLOTS}"} <= set(told) and link == "up"


def _told(client: redis.Redis, *parts: str | int) -> str:
    """Send a command of CLUSTER; return its answer as text."""
    text = client.execute_command("CLUSTER", *parts)  # type: ignore[no-untyped-call]
    return text.decode() if isinstance(text, bytes) else str(text)


def _client(node: Valkey, within_s: float = _ANSWER_S) -> redis.Redis:
    return redis.Redis(
        host=LOOPBACK, port=node.port, password=node.password, socket_timeout=within_s,
        socket_connect_timeout=within_s, retry=Retry(NoBackoff(), 0), retry_on_error=[],
    )  # fmt: skip
