"""The replicas around a server of the order store, and which switch to one of them is safe. Pure; asks nobody.

Which is safe was measured: a switch in which the primary stops writing and waits for its successor loses nothing, any
other what the successor does not have; and a level covers what it waited for.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

_REPLICA = re.compile(r"slave\d+")
_FIELD = re.compile(r"'?(\w+)'?[=:] ?'?([^,'}]*)")
LAG_MAX_S = 2
"""A replica that was not heard of for longer is not one to switch to now."""


class Replica(NamedTuple):
    """A replica, as its primary sees it."""

    address: tuple[str, int]
    state: str
    behind: int
    """Bytes of the primary's history that it has not said it has."""
    lag_s: int
    """How long ago it said anything."""

    @property
    def name(self) -> str:
        """Where it is."""
        return f"{self.address[0]}:{self.address[1]}"


class Replication(NamedTuple):
    """What a server says of its replicas."""

    role: str
    """`master` or `slave`; empty: it does not say."""
    is_cluster: bool
    replicas: list[Replica]

    @property
    def online(self) -> list[Replica]:
        """Those that follow."""
        return [one for one in self.replicas if one.state == "online"]


def waited_for(level: str) -> int:
    """Return how many replicas a level of DURABILITY waits for."""
    return int(level.removeprefix("replicas:")) if level.startswith("replicas:") else 0


def replication_of(info: Mapping[str, str]) -> Replication:
    """Read the section `replication` of INFO, and whether the server is of a Cluster."""
    offset = int(info.get("master_repl_offset", 0))
    replicas = [_replica(info[name], offset) for name in sorted(info) if _REPLICA.fullmatch(name)]
    return Replication(info.get("role", ""), info.get("cluster_enabled") == "1", replicas)


def _replica(said: str, offset: int) -> Replica:
    fields = dict(_FIELD.findall(said))
    address = fields.get("ip", ""), int(fields.get("port") or 0)
    behind = max(offset - int(fields.get("offset") or 0), 0)
    return Replica(address, fields.get("state", ""), behind, int(fields.get("lag") or 0))


def switch_words(replication: Replication, level: str) -> str:
    """Say which switch to another server is safe now, and why."""
    wanted, there = waited_for(level), len(replication.replicas)
    if not there:
        return "no switch: there is no replica"
    good = [one for one in replication.online if one.lag_s <= LAG_MAX_S]
    if not good:
        return f"no switch now: none of {there} replicas follows; wait until one does"
    to = min(good, key=lambda one: one.behind)
    if replication.is_cluster:
        safe = f"safe: CLUSTER FAILOVER on {to.name}, never with FORCE or TAKEOVER"
    else:
        safe = (
            f"safe: FAILOVER TO {to.address[0]} {to.address[1]} on the primary, or SENTINEL FAILOVER with COORDINATED; "
            "never REPLICAOF NO ONE, nor a plain SENTINEL FAILOVER, while the primary lives"
        )
    return f"{safe}; {_of_a_crash(to, wanted, there)}"


def _of_a_crash(to: Replica, wanted: int, there: int) -> str:
    if wanted >= there:
        return "a crash loses nothing: each order is on every replica before its 202"
    if wanted:
        return f"a crash loses nothing if the replica that has most takes over, for {wanted} of {there} have each order"
    return f"a crash loses what the replica does not have, now {to.behind} bytes: no order waits for it"
