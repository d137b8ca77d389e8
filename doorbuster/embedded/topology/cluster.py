"""A Redis role that is a cluster of Valkey: its nodes as kept processes. Owns when a node that died is started again.

A killed primary comes back once its replica has taken over, as replica. Who takes over is decided by the nodes alone.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from doorbuster.embedded.processes import Keeper, stop_all
from doorbuster.embedded.stores.valkey_cluster import ClusterNode, Member, bring_together, members
from doorbuster.embedded.topology.group import Pids
from doorbuster.failures import REDIS_FAILED

TAKEOVER_S = 10.0
"""After this long a primary that nobody took over from is started again as it was."""
_LOOK_EVERY_S, _ANSWER_S = 2.0, 0.3


class ClusterGroup:
    """The nodes of one role."""

    def __init__(self, role: str, nodes: Sequence[ClusterNode], env: Mapping[str, str], *, stop_s: float) -> None:
        self.name = role
        self._nodes = list(nodes)
        self._keepers = [self._keeper(number, node, dict(env), stop_s) for number, node in enumerate(nodes, 1)]
        self._died: dict[int, float] = {}
        """Port -> when it was seen dead."""
        self._seen: list[Member] = []
        self._looked = 0.0

    def _keeper(self, number: int, node: ClusterNode, env: dict[str, str], stop_s: float) -> Keeper:
        return Keeper(
            f"{self.name}-{number}", self.name, lambda: node.command(env), node.stop_signal, stop_s,
            may_restart=lambda: self._may_restart(node),
        )  # fmt: skip

    def keepers(self) -> list[Keeper]:
        """Return its processes."""
        return self._keepers

    def start(self) -> None:
        """Start all nodes."""
        for node, keeper in zip(self._nodes, self._keepers, strict=True):
            node.prepare()
            keeper.start()

    def is_ready(self) -> bool:
        """Form the cluster by a step; return whether every slot is served and every replica follows."""
        return all(keeper.pid for keeper in self._keepers) and bring_together(self._nodes)

    def look(self) -> None:
        """See who is primary; at once while a node is away, else now and then."""
        now = time.monotonic()
        away = {node.port for node, keeper in self._pairs() if keeper.started and not keeper.lives}
        self._died = {port: self._died.get(port, now) for port in away}
        if away or now - self._looked > _LOOK_EVERY_S:
            self._looked = now
            self._seen = self._ask() or self._seen

    def pids(self) -> Pids:
        """Return the living nodes, primaries first."""
        primaries = {one.port for one in self._seen if one.is_primary}
        living = [(node.port not in primaries, keeper.pid) for node, keeper in self._pairs() if keeper.pid]
        return {self.name: [pid for _, pid in sorted(living, key=lambda one: one[0])]}

    def stop(self) -> None:
        """End all nodes."""
        stop_all(self._keepers)

    def _pairs(self) -> list[tuple[ClusterNode, Keeper]]:
        return list(zip(self._nodes, self._keepers, strict=True))

    def _ask(self) -> list[Member]:
        """Ask the node that has been up longest: one that just came back may take itself for what it was."""
        living = [(keeper.started_at, node) for node, keeper in self._pairs() if keeper.lives]
        for _, node in sorted(living, key=lambda one: one[0]):
            try:
                return members(node, within_s=_ANSWER_S)
            except REDIS_FAILED:
                continue  # it does not answer: the next may
        return []

    def _may_restart(self, node: ClusterNode) -> bool:
        """Say whether nobody is to take over from a node any more."""
        if time.monotonic() - self._died.get(node.port, 0.0) > TAKEOVER_S:
            return True
        own = next((one for one in self._seen if one.port == node.port), None)
        if own is None or "master" not in own.flags or not own.ranges:
            return True
        living = {node.port for node, keeper in self._pairs() if keeper.lives}
        primaries = [one.port in living for one in self._seen if "master" in one.flags and one.ranges]
        if 2 * sum(primaries) <= len(primaries):
            return True  # without most of the primaries nobody is elected
        return not any(one.primary_id == own.node_id and one.port in living for one in self._seen)
