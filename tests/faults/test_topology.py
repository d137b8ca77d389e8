"""A whole instance of clusters loses one process after the other under load: every 202 is accounted for each time."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator

import psutil
import pytest
import redis
from redis.crc import key_slot

from tests.fixtures.accounting import assert_every_202_is_accounted_for
from tests.fixtures.facts import Facts, Sale, open_sale
from tests.fixtures.load import Load
from tests.fixtures.up import Running, Up, instance
from tests.fixtures.waiting import wait_until

UNDER_WAY = 10
"""More orders than can be on their way to an answer at any moment."""
HOW = ("--topology", "cluster", "--intake", "2", "--workers", "3")


@pytest.fixture(scope="module")
def shared() -> Iterator[Running]:
    """One instance for all tests of the module."""
    with instance(*HOW) as one:
        yield one


@pytest.fixture
def running(shared: Running) -> Running:
    """The module's instance, whole again after whatever the test before did to it."""
    wait_whole(shared)
    return shared


def wait_whole(running: Running) -> None:
    """Wait until everything runs again, and follows."""
    wanted = {role: len(pids) if isinstance(pids, list) else 1 for role, pids in running.ready["pids"].items()}

    def is_whole() -> bool:
        if {role: len(running.pids(role)) for role in wanted} != wanted:
            return False
        return all(psutil.pid_exists(pid) for role in wanted for pid in running.pids(role))

    wait_until(is_whole, within_s=60, what="every process to be told of")
    for role in ("orders", "room", "cache"):
        wait_until(lambda role=role: _follow(running, role), within_s=60, what=f"the replicas of {role} to follow")
    running.wait_ready()


def _nodes(running: Running, role: str) -> Iterator[redis.Redis]:
    _, _, rest = running.ready["urls"][f"{role}_redis"].partition("://:")
    password, _, seeds = rest.partition("@")
    for seed in seeds.split(","):
        with redis.Redis(port=int(seed.rpartition(":")[2]), password=password, socket_timeout=2) as node:
            yield node


def _follow(running: Running, role: str) -> bool:
    try:
        links = [node.info("replication").get("master_link_status") for node in _nodes(running, role)]
    except redis.RedisError:
        return False
    return links.count("up") == 3


def _primary_of(running: Running, role: str, key: str) -> tuple[int, redis.Redis]:
    """Return the process of the primary of a key, and a client of it."""
    for node in _nodes(running, role):
        told = node.execute_command("CLUSTER", "NODES").decode().splitlines()
        (own,) = [line.split() for line in told if "myself" in line]
        ranges = [part.partition("-") for part in own[8:] if part[0] != "["]
        slots = {slot for first, _, last in ranges for slot in range(int(first), int(last or first) + 1)}
        if "master" in own[2] and key_slot(key.encode()) in slots:
            return node.info("server")["process_id"], node
    raise AssertionError(f"no node says that it has the slot of {key}")


Victims = Callable[[Running, Sale], list[int]]


def _orders(running: Running, sale: Sale) -> list[int]:
    return [_primary_of(running, "orders", sale.stream)[0]]


def _all_primaries(role: str) -> Victims:
    return lambda running, sale: running.pids(role)[:3]


def _half_the_workers(running: Running, sale: Sale) -> list[int]:
    parents = running.pids("worker")[::2]
    return [*parents, *(child.pid for pid in parents for child in psutil.Process(pid).children())]


KILLED: dict[str, Victims] = {
    "the primary of the orders' node": _orders,
    "the replica of an orders' node": lambda running, sale: running.pids("orders")[-1:],
    "the primaries of the room": _all_primaries("room"),
    "a primary of the cache": lambda running, sale: running.pids("cache")[:1],
    "the primary of jobs": lambda running, sale: running.pids("jobs"),
    "a sentinel": lambda running, sale: running.pids("sentinel")[:1],
    "Postgres's primary": lambda running, sale: running.pids("postgres")[:1],
    "Postgres's standby": lambda running, sale: running.pids("postgres")[1:],
    "half the workers": _half_the_workers,
    "an intake": lambda running, sale: running.pids("intake")[:1],
}
IN_EVERY_RUN = ("the primary of the orders' node", "Postgres's primary")
PARTS = [pytest.param(part, marks=() if part in IN_EVERY_RUN else pytest.mark.soak) for part in KILLED]


@pytest.mark.parametrize("part", PARTS)
def test_nothing_is_lost_when_it_is_killed(running: Running, part: str) -> None:
    facts, sale = Facts(running), open_sale(running, 100_000, 100_000, 150)
    with Load(running.base, sale.sale_id, sale.products) as load:
        load.wait_for(60)
        facts.wait_drained(sale, 0)
        victims = KILLED[part](running, sale)
        before, killed_at = len(load.accepted), time.monotonic()
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        load.wait_for(UNDER_WAY + 1, within_s=40)
        accepted_s = time.monotonic() - killed_at
        facts.wait_drained(sale, before + UNDER_WAY, within_s=40)
        drained_s = time.monotonic() - killed_at
        load.wait_for(60, within_s=40)
    wait_whole(running)
    whole_s = time.monotonic() - killed_at
    print(f"\n{part}: accepts again after {accepted_s:.1f} s, drains after {drained_s:.1f} s, whole by {whole_s:.1f} s")
    load.assert_well_answered()
    assert_every_202_is_accounted_for(running, load.accepted)


@pytest.mark.soak
def test_nothing_is_lost_when_a_slot_moves(running: Running) -> None:
    facts, sale = Facts(running), open_sale(running, 100_000, 100_000, 150)
    slot = key_slot(sale.stream.encode())
    with Load(running.base, sale.sale_id, sale.products) as load:
        load.wait_for(60)
        former, source = _primary_of(running, "orders", sale.stream)
        other = next(pid for pid in running.pids("orders")[:3] if pid != former)
        (target,) = [node for node in _nodes(running, "orders") if node.info("server")["process_id"] == other]
        moved_at = time.monotonic()
        node_id = target.execute_command("CLUSTER", "MYID").decode()
        source.execute_command("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", node_id)
        wait_until(
            lambda: _primary_of(running, "orders", sale.stream)[0] == other, within_s=30, what="the slot to move"
        )
        moved_s = time.monotonic() - moved_at
        before = len(load.accepted)
        load.wait_for(UNDER_WAY + 1, within_s=40)
        facts.wait_drained(sale, before + UNDER_WAY, within_s=40)
        print(f"\na slot moved within {moved_s:.1f} s, accepts and drains after {time.monotonic() - moved_at:.1f} s")
        load.wait_for(60)
    load.assert_well_answered()
    assert_every_202_is_accounted_for(running, load.accepted)


@pytest.mark.soak
@pytest.mark.timeout(400)
def test_everything_killed_at_once_and_started_again(up: Up) -> None:
    first = up(*HOW)
    sale = open_sale(first, 100_000, 100_000, 150, partitions=3)
    with Load(first.base, sale.sale_id, sale.products, patience_s=90) as load:
        load.wait_for(100)
        former = first.pids("postgres")[0]
        os.kill(former, signal.SIGKILL)  # so that the other server is the primary that the next run begins with
        wait_until(lambda: first.pids("postgres")[:1] not in ([former], []), within_s=30, what="a promotion")
        load.wait_for(60, within_s=40)
        first.kill_everything()
        began = time.monotonic()
        second = up()  # on the same folder it is what it was
        load.base = second.base
        load.wait_for(60, within_s=60)
        print(f"\nkilled as a whole: accepts again after {time.monotonic() - began:.1f} s")
    load.assert_well_answered()
    assert {role: len(second.ready["pids"][role]) for role in ("orders", "postgres")} == {"orders": 6, "postgres": 2}
    assert_every_202_is_accounted_for(second, load.accepted)
