"""The embedded stores of a plan as kept processes, each with its test of readiness.

Never starts one that a URL of the environment replaces.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from doorbuster.embedded import leftovers
from doorbuster.embedded.data.folder import REDIS_ROLES, DataFolder
from doorbuster.embedded.plan import Plan
from doorbuster.embedded.processes import Command, Keeper
from doorbuster.embedded.stores.postgres import Postgres
from doorbuster.embedded.stores.standby import Standby
from doorbuster.embedded.stores.valkey import Valkey

_STOP_S = 120.0

Readiness = Callable[[], bool]


def store_keepers(plan: Plan, postgres: Postgres) -> list[tuple[Keeper, Readiness]]:
    """Return the embedded stores of a plan, folders made and configured."""
    kept: list[tuple[Keeper, Readiness]] = []
    if "database" in plan.embedded:
        kept.append(keep("postgres", postgres))
    for role in REDIS_ROLES:
        if f"{role}_redis" in plan.embedded:
            port, password = plan.redis_ports[role], plan.redis_password
            folder, log = plan.folder.redis(role), plan.folder.log(role)
            more = {"maxmemory": f"{plan.order_store_mb}mb"} if role == "orders" else {}
            kept.append(keep(role, Valkey(role, folder, log, port=port, password=password, more=more)))
    return kept


def keep(name: str, store: Postgres | Valkey) -> tuple[Keeper, Readiness]:
    """Prepare a store's folder and return its keeper and its test of readiness."""
    store.prepare()
    env = _environment()
    keeper = Keeper(name, name, lambda: store.command(env), store.stop_signal, _STOP_S)
    return keeper, store.is_ready


def replica_keepers(folder: DataFolder, standbys: list[Standby]) -> list[tuple[Keeper, Readiness]]:
    """Return the replicas' followers; each is kept up like a store, once the primary is there."""
    return [(_follower(folder, number), standby.server.is_ready) for number, standby in enumerate(standbys, 1)]


def _follower(folder: DataFolder, number: int) -> Keeper:
    name = f"replica-{number}"
    argv = [sys.executable, "-P", "-m", "doorbuster.embedded.stores.follower", str(folder.root), str(number)]
    env = _environment() | {leftovers.MARK: leftovers.mark(folder.root, name)}
    command = Command(argv=argv, cwd=folder.logs, log=folder.log(name), env=env)
    return Keeper(name, "replica", lambda: command, stop_timeout_s=_STOP_S)


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR", "LOG_LEVEL") if name in os.environ}
