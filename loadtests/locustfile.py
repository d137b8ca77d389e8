"""Locust's shopper: orders at a fixed time, sends again with the same key, watches until the outcome is final.

Run by `python -m loadtests.locust_run`, which starts a system and sets the LOADTEST_ variables; loopback only. Owns the
shopper and the shape; never reads the database.
"""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec
from locust import FastHttpUser, LoadTestShape, events, task

from loadtests.generate.shapes import Shape
from loadtests.generate.timetable import Timetable
from loadtests.scene.loopback import target_of

SALE = os.environ["LOADTEST_SALE"]
TRIES = 6
TWICE = 0.05
"""Share of shoppers who send their accepted order once more, as after a lost answer."""
WATCH_S = 30.0
WATCH_EVERY_S = 0.5
USERS_MAX = 400
SECONDS_PER_ORDER = 1.0
FINAL = frozenset({"confirmed", "cancelled"})

PRODUCTS: dict[str, float] = json.loads(os.environ["LOADTEST_PRODUCTS"])
SHAPE = msgspec.json.decode(os.environ["LOADTEST_SHAPE"], type=Shape)
TIMETABLE = Timetable(SHAPE, seconds_per_order=SECONDS_PER_ORDER, users_max=USERS_MAX)
NOTED: dict[str, Any] = {"ids": [], "outcomes": {}, "unwatched": 0, "replays_differ": 0}


class Scheduled(LoadTestShape):
    """As many shoppers as the timetable needs; the run ends some seconds after its last arrival."""

    def tick(self) -> tuple[int, float] | None:
        """Return (users, users to start a second)."""
        now = TIMETABLE.elapsed()
        if TIMETABLE.taken == TIMETABLE.offered or now > SHAPE.seconds + WATCH_S:
            return None
        return TIMETABLE.users_at(now), USERS_MAX


class Shopper(FastHttpUser):
    """One browser of many."""

    host = os.environ["LOADTEST_BASE"]
    network_timeout = 10.0
    connection_timeout = 10.0

    @task
    def shop(self) -> None:
        """Take the next arrival, wait for its time, order, and watch."""
        arrival = TIMETABLE.take()
        if arrival is None:
            time.sleep(0.2)
            return
        number, due = arrival
        time.sleep(max(due - perf_counter(), 0))
        TIMETABLE.departed(due)
        chosen = random.choices(list(PRODUCTS), list(PRODUCTS.values()))[0]
        body = {"customer_id": f"locust-{number}", "lines": [{"product_id": chosen, "quantity": 1}]}
        order_id = self._order(number, body)
        self._note_latency(due)
        if order_id is None:
            return
        if random.random() < TWICE and self._order(number, body) != order_id:
            NOTED["replays_differ"] += 1
        self._watch(order_id)

    def _order(self, number: int, body: dict[str, Any]) -> str | None:
        """Post until there is an answer other than 503; return the order's id if it was accepted."""
        headers = {"Idempotency-Key": f"locust-{number}"}
        for attempt in range(TRIES):
            with self.client.post(
                f"/sales/{SALE}/orders", name="order", json=body, headers=headers, catch_response=True
            ) as answer:
                if answer.status_code == 202:
                    answer.success()
                    order_id = str(answer.json()["order_id"])
                    NOTED["ids"].append(order_id)
                    return order_id
                if answer.status_code == 409:
                    answer.success()
                    self._count(answer.json()["code"])
                    return None
                answer.failure(f"status {answer.status_code}")
                if answer.status_code not in (0, 503):
                    self._count(f"http_{answer.status_code}")
                    return None
            time.sleep(min(0.2 * 2**attempt, 2.0))
        self._count("unanswered")
        return None

    def _watch(self, order_id: str) -> None:
        ends = perf_counter() + WATCH_S
        while perf_counter() < ends:
            with self.client.get(f"/orders/{order_id}", name="watch", catch_response=True) as answer:
                if answer.status_code != 200:
                    answer.failure(f"status {answer.status_code}")
                elif (status := answer.json()["status"]) in FINAL:
                    self._count(status)
                    return
            time.sleep(WATCH_EVERY_S)
        NOTED["unwatched"] += 1

    def _note_latency(self, due: float) -> None:
        """Tell Locust the latency from the intended arrival, retries and lateness included."""
        self.environment.events.request.fire(
            request_type="POST",
            name="order, from its intended arrival",
            response_time=(perf_counter() - due) * 1000,
            response_length=0,
            exception=None,
            context={},
        )

    def _count(self, outcome: str) -> None:
        NOTED["outcomes"][outcome] = NOTED["outcomes"].get(outcome, 0) + 1


@events.init.add_listener  # type: ignore[untyped-decorator]
def _guard(environment: Any, **_: Any) -> None:
    target_of(environment.host or Shopper.host)


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def _tell(environment: Any, **_: Any) -> None:
    told = {"late_s": TIMETABLE.late_s, "by_second": TIMETABLE.by_second(), "offered": TIMETABLE.offered}
    environment.process_exit_code = 0  # a 503 sent again is no failure; the run is judged by what was noted
    Path(os.environ["LOADTEST_RESULT"]).write_text(json.dumps(NOTED | told))
