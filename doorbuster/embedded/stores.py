"""The embedded stores of a plan as kept processes, each with its test of readiness.

Never starts one that a URL of the environment replaces.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from doorbuster.embedded.folder import REDIS_ROLES
from doorbuster.embedded.plan import Plan
from doorbuster.embedded.postgres import Postgres
from doorbuster.embedded.processes import Keeper
from doorbuster.embedded.valkey import Valkey

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
            kept.append(keep(role, Valkey(role, folder, log, port=port, password=password)))
    return kept


def keep(name: str, store: Postgres | Valkey) -> tuple[Keeper, Readiness]:
    """Prepare a store's folder and return its keeper and its test of readiness."""
    store.prepare()
    env = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    keeper = Keeper(name, name, lambda: store.command(env), store.stop_signal, _STOP_S)
    return keeper, store.is_ready
