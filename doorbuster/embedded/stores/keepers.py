"""A store as a kept process with its test of readiness. Owns its environment, and how long it may take to end."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from doorbuster.embedded import leftovers
from doorbuster.embedded.data.folder import DataFolder
from doorbuster.embedded.processes import Command, Keeper
from doorbuster.embedded.stores.postgres import Postgres
from doorbuster.embedded.stores.standby import Standby
from doorbuster.embedded.stores.valkey import Valkey

STOP_S = 120.0

Readiness = Callable[[], bool]


def keep(name: str, store: Postgres | Valkey) -> tuple[Keeper, Readiness]:
    """Prepare a store's folder and return its keeper and its test of readiness."""
    store.prepare()
    env = environment()
    keeper = Keeper(name, name, lambda: store.command(env), store.stop_signal, STOP_S)
    return keeper, store.is_ready


def replica_keepers(folder: DataFolder, standbys: list[Standby]) -> list[tuple[Keeper, Readiness]]:
    """Return the replicas' followers; each is kept up like a store, once the primary is there."""
    return [(_follower(folder, number), standby.server.is_ready) for number, standby in enumerate(standbys, 1)]


def _follower(folder: DataFolder, number: int) -> Keeper:
    name = f"replica-{number}"
    argv = [
        sys.executable,
        "-P",
        "-m",
        "doorbuster.embedded.stores.follower",
        str(folder.root),
        folder.postgres.name,
        name,
    ]
    env = environment() | {leftovers.MARK: leftovers.mark(folder.root, name)}
    command = Command(argv=argv, cwd=folder.logs, log=folder.log(name), env=env)
    return Keeper(name, "replica", lambda: command, stop_timeout_s=STOP_S)


def environment() -> dict[str, str]:
    """Return what a store is told of this process's environment."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR", "LOG_LEVEL") if name in os.environ}
