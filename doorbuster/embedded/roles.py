"""Doorbuster's own processes of one machine: the intake under gunicorn, the workers, the scheduler.

Owns their command lines; knows them by module name only and never imports them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from doorbuster.embedded import leftovers
from doorbuster.embedded.data.folder import DataFolder
from doorbuster.embedded.processes import Command, Keeper
from doorbuster.embedded.users import unprivileged

# Without the working folder on the module path: a folder there named like one of ours must not be taken for it.
_PYTHON = [sys.executable, "-P", "-m"]
_GUNICORN = [*_PYTHON, "gunicorn", "--config", "python:intake.gunicorn_conf"]


@dataclass(frozen=True, kw_only=True)
class Listeners:
    """Where the intake listens."""

    host: str
    port: int
    ops_host: str | None = None
    ops_port: int | None = None

    @property
    def base(self) -> str:
        """URL of the storefront."""
        return _base(self.host, self.port)

    @property
    def ops_base(self) -> str:
        """URL of the ops API; the storefront's unless it has a listener of its own."""
        return _base(self.ops_host or self.host, self.ops_port) if self.ops_port else self.base


def _base(host: str, port: int) -> str:
    reachable = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{reachable}:{port}"


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """How many processes of each role, and what they are told."""

    folder: DataFolder
    listeners: Listeners
    intake: int
    workers: int
    env: dict[str, str] = field(repr=False)
    account: unprivileged.Account | None = None
    """Who they are to be; None: whoever runs."""

    def intake_keepers(self) -> list[Keeper]:
        """Return one gunicorn, and a second one for ops when it has its own listener."""
        at = self.listeners
        if at.ops_port is None:
            shared = self._figures() if self.intake > 1 or self.env.get("SCALING") == "local" else {}
            return [self._gunicorn("intake", "all", (at.host, at.port), shared)]
        # The listener of ops shows the figures of both: the public one shows none.
        shared = self._figures()
        return [
            self._gunicorn("intake", "public", (at.host, at.port), shared),
            self._gunicorn("intake-ops", "ops", (at.ops_host or at.host, at.ops_port), shared),
        ]

    def worker_keepers(self) -> list[Keeper]:
        """Return the workers and the scheduler."""
        scheduler = self._command("scheduler", [*_PYTHON, "workers.scheduler"])
        workers = [self.worker_keeper(number) for number in range(1, self.workers + 1)]
        return [*workers, Keeper("scheduler", "scheduler", scheduler)]

    def worker_keeper(self, number: int) -> Keeper:
        """Return a worker."""
        return Keeper(f"worker-{number}", "worker", self._command(f"worker-{number}", [*_PYTHON, "workers"]))

    def _figures(self) -> dict[str, str]:
        """Return where several processes share their figures."""
        figures = self.folder.fresh("metrics", "intake")
        if self.account is not None:
            os.chown(figures, self.account.uid, self.account.gid)
        return {"PROMETHEUS_MULTIPROC_DIR": str(figures)}

    def _gunicorn(self, name: str, role: str, bind: tuple[str, int], shared: dict[str, str]) -> Keeper:
        processes = 1 if role == "ops" else self.intake
        told = {"INTAKE_BIND": _address(*bind), "INTAKE_PROCESSES": str(processes), "INTAKE_ROLE": role} | shared
        make = self._command(name, _GUNICORN, told, low_ports=unprivileged.is_low(bind[1]))
        # A killed master's workers would keep the port from the next one.
        return Keeper(name, "intake", make, before_restart=lambda: _sweep(self.folder, name))

    def _command(
        self, name: str, argv: list[str], told: dict[str, str] | None = None, *, low_ports: bool = False
    ) -> Callable[[], Command]:
        account = self.account
        env = self.env | (told or {}) | {leftovers.MARK: leftovers.mark(self.folder.root, name)}
        env |= {} if account is None else account.environment
        cwd = self.folder.logs if account is None else Path("/")  # the logs are closed to it
        log = self.folder.log(name)
        return lambda: Command(argv=argv, cwd=cwd, log=log, env=env, account=account, low_ports=low_ports)


def _sweep(folder: DataFolder, name: str) -> None:
    leftovers.sweep(folder.root, name)
