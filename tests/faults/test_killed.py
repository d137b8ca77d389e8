"""`kill -9` of each part under load: nothing accepted is lost, and the drain goes on within ten seconds."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed

import httpx
import psutil
import pytest

from tests.fixtures.accounting import assert_every_202_is_accounted_for
from tests.fixtures.facts import Facts, Sale, open_sale
from tests.fixtures.load import Accepted, Body, Load, order_body
from tests.fixtures.up import Running, Up
from tests.fixtures.waiting import wait_until

TAKEOVER_S = 10.0
"""A killed worker's work goes on elsewhere within this (promise of the drain)."""
UNDER_WAY = 10
"""More orders than can be on their way to an answer at any moment."""

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
    return [*parents, *_children(parents)]


def _intake_master(running: Running, facts: Facts, sale: Sale) -> list[int]:
    return [psutil.Process(running.pids("intake")[0]).ppid()]


def _rewriting_store(running: Running, facts: Facts, sale: Sale) -> list[int]:
    with facts.store() as store:
        store.bgrewriteaof()
    return running.pids("orders")


def _role(name: str) -> Victims:
    return lambda running, facts, sale: running.pids(name)


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
        victims = KILLED[part](running, facts, sale)
        before, killed_at = len(load.accepted), time.monotonic()
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
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
        horse = facts.wait_holder(f"drain:{sale.number}:2")
        before, killed_at = len(load.accepted), time.monotonic()
        os.kill(horse, signal.SIGKILL)
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
    sale = open_sale(running, 100_000, partitions=4)
    product = sale.products[0]
    batches = [
        [(f"batch-{number}-{line}", order_body(f"c-{number}-{line}", {product: 1})) for line in range(200)]
        for number in range(12)
    ]
    answered: dict[int, list[str]] = {}
    with ThreadPoolExecutor(4) as posters:
        sent = {posters.submit(_post_batch, running.base, sale, batch): place for place, batch in enumerate(batches)}
        next(as_completed(sent))
        for pid in running.pids("intake"):
            os.kill(pid, signal.SIGKILL)
        for done, place in sent.items():
            if (taken := done.result()) is not None:
                answered[place] = list(taken)
    assert 0 < len(answered) < len(batches), "it was not killed in between: the test shows nothing"
    running.wait_ready()
    accepted: dict[str, Accepted] = {}
    for place, batch in enumerate(batches):
        again = wait_until(lambda batch=batch: _post_batch(running.base, sale, batch), what="the batch to be taken")
        assert answered.get(place, list(again)) == list(again)
        for (key, body), (order_id, accepted_at) in zip(batch, again.items(), strict=True):
            accepted[order_id] = Accepted(order_id, sale.sale_id, key, body, accepted_at)
    assert len(accepted) == len(batches) * 200
    assert_every_202_is_accounted_for(running, accepted)


def _post_batch(base: str, sale: Sale, batch: list[tuple[str, Body]]) -> dict[str, str] | None:
    """Post a batch; return when each of its orders was accepted, None if nobody knows of all."""
    lines = b"".join(json.dumps(body | {"idempotency_key": key}).encode() + b"\n" for key, body in batch)
    headers = {"Content-Type": "application/x-ndjson"}
    try:
        answer = httpx.post(f"{base}/sales/{sale.sale_id}/orders:batch", content=lines, headers=headers, timeout=20)
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
