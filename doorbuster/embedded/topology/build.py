"""The groups of a plan: folders, ports and settings of every store that it brings. Starts none of them."""

from __future__ import annotations

from doorbuster.embedded.data.addresses import CLUSTERED, NODES, SENTINELS, SERVICE
from doorbuster.embedded.data.folder import REDIS_ROLES
from doorbuster.embedded.plan import Plan
from doorbuster.embedded.stores.keepers import STOP_S, environment, keep
from doorbuster.embedded.stores.postgres import Postgres
from doorbuster.embedded.stores.sentinel import Sentinel
from doorbuster.embedded.stores.valkey import Valkey
from doorbuster.embedded.stores.valkey_cluster import ClusterNode
from doorbuster.embedded.topology.cluster import ClusterGroup
from doorbuster.embedded.topology.group import Single, StoreGroup
from doorbuster.embedded.topology.pair import PairGroup, pair
from doorbuster.embedded.topology.sentinels import SentinelGroup

_CACHE_MB = 96
"""Of a node of the cache; together as much as the one server of the other topology, and a little more."""
_QUORUM = 2


def groups(plan: Plan, postgres: Postgres) -> list[StoreGroup]:
    """Return the embedded stores of a plan; never one that a URL of the environment replaces."""
    make = _single if plan.topology == "single" else _several
    found: list[StoreGroup] = []
    if "database" in plan.embedded:
        found.append(
            Single(*keep("postgres", postgres))
            if plan.topology == "single"
            else PairGroup(plan.folder, pair(plan.folder), environment(), stop_s=STOP_S)
        )
    return found + [make(plan, role) for role in REDIS_ROLES if f"{role}_redis" in plan.embedded]


def _single(plan: Plan, role: str) -> StoreGroup:
    more = {"maxmemory": f"{plan.order_store_mb}mb"} if role == "orders" else {}
    return Single(*keep(role, _valkey(plan, role, role, more)))


def _several(plan: Plan, role: str) -> StoreGroup:
    return _cluster(plan, role) if role in CLUSTERED else _with_sentinels(plan)


def _cluster(plan: Plan, role: str) -> ClusterGroup:
    bounds = {"orders": f"{plan.order_store_mb * 2 // NODES}mb", "cache": f"{_CACHE_MB}mb"}
    more = {"maxmemory": bounds[role]} if role in bounds else {}
    nodes = [
        ClusterNode(
            role, plan.folder.redis(name), plan.folder.log(name),
            ports=(plan.redis_ports[name], plan.redis_ports[f"{name}-bus"]), password=plan.redis_password, more=more,
        )
        for name in (f"{role}-{number}" for number in range(1, NODES + 1))
    ]  # fmt: skip
    return ClusterGroup(role, nodes, environment(), stop_s=STOP_S)


def _with_sentinels(plan: Plan) -> SentinelGroup:
    more = {"masterauth": plan.redis_password, "repl-diskless-sync-delay": "0"}
    servers = [_valkey(plan, SERVICE, f"{SERVICE}-{number}", more) for number in (1, 2)]
    sentinels = [
        Sentinel(
            plan.folder.redis(name), plan.folder.log(name),
            port=plan.redis_ports[name], password=plan.redis_password, quorum=_QUORUM,
        )
        for name in (f"sentinel-{number}" for number in range(1, SENTINELS + 1))
    ]  # fmt: skip
    return SentinelGroup(servers, sentinels, plan.folder.root / "jobs-primary.json", environment(), stop_s=STOP_S)


def _valkey(plan: Plan, role: str, name: str, more: dict[str, str]) -> Valkey:
    folder, log = plan.folder.redis(name), plan.folder.log(name)
    return Valkey(role, folder, log, port=plan.redis_ports[name], password=plan.redis_password, more=more)
