"""`kill -9` of each part under load: nothing accepted is lost, and the drain goes on within ten seconds."""

from __future__ import annotations

import itertools
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
import pytest

from tests.fixtures.accounting import assert_every_202_is_accounted_for
from tests.fixtures.facts import Facts, Sale, open_sale
from tests.fixtures.load import Accepted, Load, order_body
from tests.fixtures.up import Running, Up
from tests.fixtures.waiting import wait_until

TAKEOVER_S = 10.0
"""A killed worker's work goes on elsewhere within this (promise of the drain)."""
UNDER_WAY = 10
"""More orders than can be on their way to an answer at any moment."""

LINES, BATCHES = 200, 60
"""Of a batch post; and batches that are posted at most."""

Victims = Callable[[Running, Facts, Sale], list[int]]


def _children(pids: list[int]) -> list[int]:
    return [child.pid for pid in pids for child in psutil.Process(pid).children()]


def _work_horse(running: Running, facts: Facts, sale: Sale) -> list[int]:
    return [facts.wait_holder(f"drain:{sale.number}:0")]


def _parent_of_work_horse(running: Running, facts: Facts, sale: Sale) -> list[int]:
    return [psutil.Process(pid).ppid() for pid in _work_horse(running, facts, sale)]


def _other_work_horses(running: Running, facts: Facts, sale: Sale) -> list[int]:
    return [facts.wait_holder(f"settle:{sale.number}:0"), facts.wait_holder("relay")]


def _all_workers(running: Running, facts: Facts, sale: Sale) -> list[int]:
    parents = running.pids("worker")
    for pid in parents:  # stopped until they are killed: none forks, and none lets go of a work-horse that has ended
        os.kill(pid, signal.SIGSTOP)
    return [*_children(parents), *parents]


def _intake_master(running: Running, facts: Facts, sale: Sale) -> list[int]:
    return [psutil.Process(running.pids("intake")[0]).ppid()]


def _rewriting_store(running: Running, facts: Facts, sale: Sale) -> list[int]:
    with facts.store() as store:
        store.bgrewriteaof()
    return running.pids("orders")


def _role(name: str) -> Victims:
    return lambda running, facts, sale: running.pids(name)


def _kill(victims: Callable[[], list[int]]) -> None:
    """Kill these, looked for anew if one has just ended: a work-horse lives no longer than its shift."""

    def killed() -> bool:
        try:
            for pid in victims():
                os.kill(pid, signal.SIGKILL)
        except (ProcessLookupError, psutil.NoSuchProcess):
            return False
        return True

    wait_until(killed, what="those to be there who are to be killed")


def _drain_resumes(facts: Facts, sale: Sale, accepted_before: int, killed_at: float) -> None:
    """An order that was accepted after the kill is drained in time; a last batch of the dead process is no proof."""
    facts.wait_drained(sale, accepted_before + UNDER_WAY, within_s=TAKEOVER_S - (time.monotonic() - killed_at))
    print(f"drained again {time.monotonic() - killed_at:.1f} s after the kill")


KILLED: dict[str, Victims] = {
    "work-horse": _work_horse,
    "settling and relaying work-horses": _other_work_horses,
    "worker": _parent_of_work_horse,
    "all workers": _all_workers,
    "intake": _role("intake"),
    "intake's master": _intake_master,
    "scheduler": _role("scheduler"),
    "order store": _role("orders"),
    "order store that rewrites its file": _rewriting_store,
    "Postgres": _role("postgres"),
    "jobs store": _role("jobs"),
    "room and cache": lambda running, facts, sale: [*running.pids("room"), *running.pids("cache")],
}


@pytest.mark.parametrize("part", KILLED)
def test_nothing_is_lost_when_it_is_killed(running: Running, facts: Facts, part: str) -> None:
    sale = open_sale(running, 100_000, 100_000, 150)
    with Load(running.base, sale.sale_id, sale.products) as load:
        load.wait_for(60)
        facts.wait_drained(sale, 0)
        _kill(lambda: KILLED[part](running, facts, sale))
        before, killed_at = len(load.accepted), time.monotonic()
        _drain_resumes(facts, sale, before, killed_at)
        load.wait_for(60)
    load.assert_well_answered()
    assert_every_202_is_accounted_for(running, load.accepted)


def test_a_killed_work_horse_of_many_partitions_is_replaced_in_time(running: Running, facts: Facts) -> None:
    """Few workers take turns at many shifts: none waits so long that a dead one's work is late."""
    sale = open_sale(running, 100_000, partitions=4)
    with Load(running.base, sale.sale_id, sale.products) as load:
        load.wait_for(60)
        facts.wait_drained(sale, 0)
        _kill(lambda: [facts.wait_holder(f"drain:{sale.number}:2")])
        before, killed_at = len(load.accepted), time.monotonic()
        _drain_resumes(facts, sale, before, killed_at)
        asked = "select entry_id from stream_cursors where sale_number = $1 and partition = 2"
        cursor = facts.value(asked, sale.number)
        left_s = TAKEOVER_S - (time.monotonic() - killed_at)
        wait_until(lambda: facts.value(asked, sale.number) != cursor, within_s=left_s, what="its partition's turn")
        print(f"its partition is drained again {time.monotonic() - killed_at:.1f} s after the kill")
    load.assert_well_answered()
    assert_every_202_is_accounted_for(running, load.accepted)


def test_everything_killed_at_once_and_started_again(up: Up) -> None:
    first = up()
    sale = open_sale(first, 100_000, 100_000, 150)
    with Load(first.base, sale.sale_id, sale.products) as load:
        load.wait_for(100)
        first.kill_everything()
        second = up()
        load.base = second.base
        load.wait_for(60)
    load.assert_well_answered()
    assert_every_202_is_accounted_for(second, load.accepted)


def test_batches_that_an_intake_dies_with_are_sent_again_as_they_are(running: Running, facts: Facts) -> None:
    """Who got no answer cannot know how far it went: the same lines give the same orders, each once."""
    sale = open_sale(running, 1_000_000, partitions=4)
    batches = [_Batch(sale, number) for number in range(BATCHES)]  # made ahead: while one is made none is under way
    posted: dict[int, dict[str, str] | None] = {}
    numbers, lost = itertools.count(), threading.Event()

    def post_until_lost() -> None:
        while not lost.is_set() and (number := next(numbers)) < BATCHES:
            posted[number] = batches[number].post(running.base)
            if posted[number] is None:
                lost.set()

    with ThreadPoolExecutor(4) as posters:
        posting = [posters.submit(post_until_lost) for _ in range(4)]
        wait_until(lambda: any(list(posted.values())), what="a batch to be answered")
        while not lost.is_set() and not all(poster.done() for poster in posting):
            former = running.kill("intake")  # it may have had none in hand: then the next one
            running.wait_replaced("intake", former)
        for poster in posting:
            poster.result()
    assert lost.is_set(), "no batch was lost: the test shows nothing"
    running.wait_ready()
    accepted: dict[str, Accepted] = {}
    for number, before in posted.items():
        batch = batches[number]
        again = wait_until(lambda batch=batch: batch.post(running.base), what="the batch to be taken")
        assert list(before or again) == list(again)
        for (key, body), (order_id, accepted_at) in zip(batch.orders, again.items(), strict=True):
            accepted[order_id] = Accepted(order_id, sale.sale_id, key, body, accepted_at)
    assert len(accepted) == len(posted) * LINES
    assert_every_202_is_accounted_for(running, accepted)


class _Batch:
    """Orders that are posted as one."""

    def __init__(self, sale: Sale, number: int) -> None:
        named = [f"{number}-{line}" for line in range(LINES)]
        self.orders = [(f"batch-{name}", order_body(f"c-{name}", {sale.products[0]: 1})) for name in named]
        self._path = f"/sales/{sale.sale_id}/orders:batch"
        self._lines = b"".join(
            json.dumps(body | {"idempotency_key": key}).encode() + b"\n" for key, body in self.orders
        )

    def post(self, base: str) -> dict[str, str] | None:
        """Post it; return when each of its orders was accepted, None if nobody knows of all."""
        headers = {"Content-Type": "application/x-ndjson"}
        try:
            answer = httpx.post(f"{base}{self._path}", content=self._lines, headers=headers, timeout=20)
        except httpx.TransportError:
            return None
        if answer.status_code == 503:
            return None
        assert answer.status_code == 200, answer.text
        verdicts = [json.loads(line) for line in answer.text.splitlines()]
        if any(verdict["status"] == 503 for verdict in verdicts):
            return None
        assert {verdict["status"] for verdict in verdicts} == {202}
        return {verdict["order_id"]: verdict["accepted_at"] for verdict in verdicts}
