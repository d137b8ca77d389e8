"""Where the embedded stores of a topology listen, by name, and their URLs. Owns these names; opens nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from doorbuster.embedded.data.folder import REDIS_ROLES, Topology
from doorbuster.ports import LOOPBACK

CLUSTERED = ("orders", "room", "cache")
NODES, SENTINELS = 6, 3
"""Of a cluster, half of them primaries; and those that watch over the jobs store."""
SERVICE = "jobs"
"""The name by which the sentinels know the jobs store."""


def port_names(topology: Topology) -> tuple[str, ...]:
    """Return the names of the ports that the Redis roles need."""
    if topology == "single":
        return REDIS_ROLES
    nodes = [f"{role}-{number}" for role in CLUSTERED for number in range(1, NODES + 1)]
    jobs = [f"{SERVICE}-{number}" for number in (1, 2)]
    sentinels = [f"sentinel-{number}" for number in range(1, SENTINELS + 1)]
    return (*nodes, *(f"{node}-bus" for node in nodes), *jobs, *sentinels)


def redis_urls(topology: Topology, ports: Mapping[str, int], password: str) -> dict[str, str]:
    """Return the URL of each Redis role, passwords included."""
    if topology == "single":
        return {role: f"redis://:{password}@{LOOPBACK}:{ports[role]}/0" for role in REDIS_ROLES}
    found = {role: cluster_url(nodes_of(ports, role), password) for role in CLUSTERED}
    sentinels = [ports[f"sentinel-{number}"] for number in range(1, SENTINELS + 1)]
    return found | {SERVICE: sentinel_url(sentinels, password)}


def nodes_of(ports: Mapping[str, int], role: str) -> list[int]:
    """Return the ports of a cluster's nodes."""
    return [ports[f"{role}-{number}"] for number in range(1, NODES + 1)]


def cluster_url(ports: Sequence[int], password: str) -> str:
    """Return the URL of a cluster, every node a seed."""
    return f"redis+cluster://:{password}@{_seeds(ports)}"


def sentinel_url(ports: Sequence[int], password: str, *, database: int = 0) -> str:
    """Return the URL of what sentinels watch over; they and the servers have the same password."""
    return f"redis+sentinel://:{password}@{_seeds(ports)}/{SERVICE}/{database}?sentinel_password={password}"


def _seeds(ports: Sequence[int]) -> str:
    return ",".join(f"{LOOPBACK}:{port}" for port in ports)
