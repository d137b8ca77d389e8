"""Locust's users: each takes an arrival of the timetable, waits for its time, and does what that person does.

Run by `python -m loadtests.locust_run`, which starts a system and sets the LOADTEST_ variables; loopback only. Owns the
user and the shape, in one process or shared out over Locust's own workers; never reads the database.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec
from locust import FastHttpUser, LoadTestShape, events, task
from locust.runners import MasterRunner, WorkerRunner

from loadtests.crowd.notes import Notes
from loadtests.crowd.people import Crowd, Person
from loadtests.crowd.visit import PATIENCE_S, WATCH_S, Visit
from loadtests.generate.shapes import Shape
from loadtests.generate.timetable import Timetable
from loadtests.scene.loopback import target_of

USERS_MAX = 2_000
PROCESSES = int(os.environ["LOADTEST_PROCESSES"])
SECONDS_EACH = float(os.environ["LOADTEST_SECONDS_EACH"])
"""How long a person is busy, about: so many more users it takes than arrivals a second."""

CROWD = msgspec.json.decode(os.environ["LOADTEST_CROWD"], type=Crowd)
SHAPE = msgspec.json.decode(os.environ["LOADTEST_SHAPE"], type=Shape)
BEGINS = float(os.environ["LOADTEST_BEGINS"])
"""When the first second of the shape is, Unix time: the same in every process."""
NOTES = Notes()
TAKEN: dict[str, int] = {}
"""Arrivals taken, by worker; on the master alone."""


class Everywhere:
    """What there is one of in each process, made when it is known which of them this is."""

    def __init__(self) -> None:
        self._timetable: Timetable | None = None

    def timetable(self, runner: Any) -> Timetable:
        """Return this process's share of the arrivals."""
        if self._timetable is None:
            place = runner.worker_index if isinstance(runner, WorkerRunner) else 0
            self._timetable = Timetable(
                SHAPE, seconds_per_order=SECONDS_EACH, users_max=USERS_MAX, share=(place, PROCESSES), begins=BEGINS
            )
        return self._timetable


HERE = Everywhere()


class Scheduled(LoadTestShape):
    """As many users as the timetable needs; the run ends some seconds after its last arrival."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._whole = Timetable(SHAPE, seconds_per_order=SECONDS_EACH, users_max=USERS_MAX, share=(0, 1), begins=BEGINS)

    def tick(self) -> tuple[int, float] | None:
        """Return (users, users to start a second)."""
        now = self._whole.elapsed()
        distributed = isinstance(self.runner, MasterRunner)
        taken = sum(TAKEN.values()) if distributed else HERE.timetable(self.runner).taken
        if taken >= self._whole.offered or now > SHAPE.seconds + WATCH_S + PATIENCE_S:
            return None
        return self._whole.users_at(now), USERS_MAX


class Visitor(FastHttpUser):
    """One browser of many: somebody else each time."""

    host = os.environ["LOADTEST_BASE"]
    network_timeout = 10.0
    connection_timeout = 10.0

    @task
    def come(self) -> None:
        """Take the next arrival, wait for its time, and act."""
        timetable = HERE.timetable(self.environment.runner)
        arrival = timetable.take()
        if arrival is None:
            time.sleep(0.2)
            return
        number, due = arrival
        time.sleep(max(due - perf_counter(), 0))
        timetable.departed(due)
        visit = Visit(self.client, NOTES, CROWD.sale, number)
        person = Person(CROWD, visit, NOTES)
        person.act()
        self._note_latency(person.kind, due)

    def _note_latency(self, kind: str, due: float) -> None:
        """Tell Locust how long everything took from the intended arrival, retries and lateness included."""
        self.environment.events.request.fire(
            request_type="VISIT",
            name=f"{kind}, from its intended arrival",
            response_time=(perf_counter() - due) * 1000,
            response_length=0,
            exception=None,
            context={},
        )


@events.init.add_listener  # type: ignore[untyped-decorator]
def _guard(environment: Any, **_: Any) -> None:
    target_of(environment.host or Visitor.host)


@events.report_to_master.add_listener  # type: ignore[untyped-decorator]
def _report(client_id: str, data: dict[str, Any]) -> None:  # noqa: ARG001  the names are Locust's
    timetable = HERE._timetable
    data["taken"] = 0 if timetable is None else timetable.taken


@events.worker_report.add_listener  # type: ignore[untyped-decorator]
def _hear(client_id: str, data: dict[str, Any]) -> None:
    TAKEN[client_id] = data.get("taken", 0)


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def _tell(environment: Any, **_: Any) -> None:
    """Write this process's notes: every process that had people has a file of its own."""
    environment.process_exit_code = 0  # a 503 sent again is no failure; the run is judged by what was noted
    runner = environment.runner
    if isinstance(runner, MasterRunner):
        return
    timetable = HERE.timetable(runner)
    NOTES.late_s, NOTES.offered, NOTES.by_second = timetable.late_s, timetable.offered, timetable.by_second()
    place = runner.worker_index if isinstance(runner, WorkerRunner) else 0
    Path(os.environ["LOADTEST_NOTES"], f"notes-{place}.json").write_bytes(msgspec.json.encode(NOTES))
