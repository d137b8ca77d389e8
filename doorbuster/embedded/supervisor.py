"""The supervisor: starts everything of one machine in order, keeps it up, stops it in order.

One thread, no store's content, no business rule. The only parent of all processes, so that they die with it.
"""

from __future__ import annotations

import http.client
import logging
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

import psutil

from doorbuster.embedded import leftovers
from doorbuster.embedded.data import instance
from doorbuster.embedded.data.folder import REDIS_ROLES
from doorbuster.embedded.plan import Plan
from doorbuster.embedded.processes import Keeper, rotate, stop_all
from doorbuster.embedded.scale import FleetScale, make_folder
from doorbuster.embedded.stores.keepers import replica_keepers
from doorbuster.embedded.stores.postgres import Postgres
from doorbuster.embedded.stores.standby import no_longer_wanted, standbys
from doorbuster.embedded.topology.build import groups
from doorbuster.embedded.topology.group import Pids
from doorbuster.embedded.wake import Wake
from doorbuster.errors import StoreUnavailableError

_log = logging.getLogger(__name__)
_TICK_S, _POLL_S = 0.5, 0.03
_STORE_READY_S = 900.0
"""Recovery after a crash replays up to max_wal_size of log; a long append-only file takes its time to load."""
_INTAKE_READY_S = 60.0
_GIVE_UP_FAILURES = 6
_TAIL_BYTES = 4096


class StoppedError(Exception):
    """A stop was asked for while starting."""


class Supervisor:
    """One run of a plan."""

    def __init__(self, plan: Plan, postgres: Postgres, prepare: Callable[[dict[str, str]], None]) -> None:
        self._plan, self._postgres, self._prepare = plan, postgres, prepare
        self._stores = groups(plan, postgres)
        self._standbys = standbys(postgres, plan.folder, plan.options.replicas)
        self._replicas = replica_keepers(plan.folder, self._standbys)
        fleet = plan.fleet()
        self._intake, self._workers = fleet.intake_keepers(), fleet.worker_keepers()
        self._scale = FleetScale(
            make_folder(plan.folder.root, plan.account), self._intake[0], self._workers,
            more=fleet.worker_keeper, count=lambda pid: len(_children(pid)), processes=fleet.intake,
        )  # fmt: skip
        self._wake, self._stopping = Wake(), False
        self._asked_by: signal.Signals | None = None
        self._ready: instance.ReadyDocument | None = None
        self._paths = [plan.folder.ready, *([plan.options.ready_file] if plan.options.ready_file else [])]

    def run(self, announce: Callable[[str], None]) -> bool:
        """Run until a stop is asked for; `announce` gets the ready line once everything serves.

        Returns whether that is well: False when Ctrl-C came before anything served.

        Raises:
            StoreUnavailableError: something did not come up.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGCHLD, self._on_child)
        self._forget_ready()
        try:
            self._start()
            self._publish()
            instance.remember(self._plan.folder.root)
            ready = self._document()
            announce(ready.line_without_secrets() if self._plan.options.hide_secrets else ready.line())
            while not self._stopping:
                self._tend()
            return True
        except StoppedError:
            _log.info("stopped while starting")
            return self._asked_by is not signal.SIGINT
        finally:
            self._stop()

    def _on_stop(self, number: int, _frame: FrameType | None) -> None:
        # Nothing that takes a lock or writes to a stream: a handler may have interrupted just that.
        self._asked_by, self._stopping = signal.Signals(number), True
        self._wake.set()

    def _on_child(self, _number: int, _frame: FrameType | None) -> None:
        self._wake.set()

    def _start(self) -> None:
        for store in self._stores:
            store.start()
        unready = list(self._stores)

        def are_ready() -> bool:
            unready[:] = [store for store in unready if not store.is_ready()]
            return not unready

        self._await([keeper for store in self._stores for keeper in store.keepers()], are_ready, _STORE_READY_S)
        self._prepare(self._plan.urls)
        if "database" in self._plan.embedded:
            for former in no_longer_wanted(self._postgres, self._plan.folder, len(self._standbys)):
                former.forget()
        for keeper, _ in self._replicas:
            keeper.start()
        for keeper, is_ready in self._replicas:
            self._await([keeper], is_ready, _STORE_READY_S)
        for keeper in [*self._intake, *self._workers]:
            keeper.start()
        at = self._plan.listeners
        # The listener of ops says whether orders can be taken, a public one beside it only that it answers.
        asked = [f"{at.base}/readyz"] if at.ops_port is None else [f"{at.base}/healthz", f"{at.ops_base}/readyz"]
        for keeper, url in zip(self._intake, asked, strict=True):
            self._await([keeper], lambda url=url: _answers_well(url), _INTAKE_READY_S)  # type: ignore[misc]

    def _await(self, keepers: list[Keeper], is_ready: Callable[[], bool], timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not (all(keeper.pid is not None for keeper in keepers if keeper.started) and is_ready()):
            if self._stopping:
                raise StoppedError
            worst = max(keepers, key=lambda keeper: keeper.failures)
            if worst.failures >= _GIVE_UP_FAILURES or time.monotonic() > deadline:
                log = self._plan.folder.log(worst.name)
                raise StoreUnavailableError(f"{worst.name} does not come up: {_last_line(log)} (see {log})")
            self._keep_up()
            self._wake.wait(_POLL_S)

    def _keepers(self) -> list[Keeper]:
        stores = [keeper for store in self._stores for keeper in store.keepers()]
        return [*stores, *(keeper for keeper, _ in self._replicas), *self._intake, *self._workers]

    def _keep_up(self) -> None:
        for store in self._stores:
            store.look()
        for keeper in self._keepers():
            if keeper.started:
                keeper.tend()

    def _tend(self) -> None:
        self._wake.wait(min([_TICK_S, *(keeper.pause_s for keeper in self._keepers())]))
        if not self._stopping:
            self._keep_up()
            self._scale_when_possible()
            self._rotate_logs()
            self._publish_when_possible()

    def _scale_when_possible(self) -> None:
        """Bring the processes to what is wanted; what cannot be started must not end what runs."""
        try:
            self._scale.tend()
        except (OSError, subprocess.SubprocessError) as error:
            _log.warning("cannot scale", extra={"error": str(error)})

    def _rotate_logs(self) -> None:
        """Keep log files bounded; a full disk must not end what runs, so it is tried again at the next look."""
        for log in self._plan.folder.logs.glob("*.log"):
            try:
                rotate(log)
            except OSError as error:
                _log.warning("cannot rotate a log file", extra={"log": str(log), "error": str(error)})

    def _document(self) -> instance.ReadyDocument:
        plan = self._plan
        return instance.ReadyDocument(
            base=plan.listeners.base,
            ops_base=plan.listeners.ops_base,
            ops_key=plan.settings.ops_key.get_secret_value(),
            data=str(plan.folder.root),
            pids=self._pids(),
            urls=plan.urls | ({"replica": ",".join(plan.replica_urls)} if plan.replica_urls else {}),
        )

    def _pids(self) -> Pids:
        stores: Pids = dict.fromkeys(("postgres", *REDIS_ROLES))
        for store in self._stores:
            stores |= store.pids()
        workers = {role: [k.pid for k in self._workers if k.role == role and k.pid] for role in ("worker", "scheduler")}
        replicas = {"replica": _children_of([keeper for keeper, _ in self._replicas])} if self._replicas else {}
        return {"intake": _children_of(self._intake), **workers, **stores, **replicas}

    def _publish(self) -> None:
        document = self._document()
        if document != self._ready:
            instance.publish(document, self._paths)
            self._ready = document

    def _publish_when_possible(self) -> None:
        """Publish what changed; a full disk must not end what runs, so it is tried again at the next look."""
        try:
            self._publish()
        except OSError as error:
            if self._ready is not None:
                _log.warning("cannot write the ready document", extra={"error": str(error)})
            self._ready = None

    def _forget_ready(self) -> None:
        for path in self._paths:
            path.unlink(missing_ok=True)

    def _stop(self) -> None:
        """Intake first, so that nothing more is accepted; then who drains; then the stores."""
        _log.info("stopping", extra={"signal": self._asked_by.name if self._asked_by else None})
        self._forget_ready()
        stop_all(self._intake)
        stop_all(self._workers)
        self._scale.stop()
        stop_all([keeper for keeper, _ in self._replicas])
        leftovers.sweep(self._plan.folder.root, stores=False)
        for store in self._stores:
            store.stop()
        for server in (self._postgres, *(standby.server for standby in self._standbys)):
            server.clear()
        _log.info("stopped")


def _children_of(keepers: list[Keeper]) -> list[int]:
    return sorted(pid for keeper in keepers if keeper.pid for pid in _children(keeper.pid))


def _children(pid: int) -> list[int]:
    try:
        return [child.pid for child in psutil.Process(pid).children() if child.status() != psutil.STATUS_ZOMBIE]
    except psutil.NoSuchProcess:
        return []


def _answers_well(url: str) -> bool:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=5)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _last_line(log: Path) -> str:
    if not log.exists():
        return "no word of why"
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        lines = file.read().decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "no word of why")
