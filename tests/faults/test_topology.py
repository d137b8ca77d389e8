"""A whole instance of clusters loses one process after the other under load: every 202 is accounted for each time.

Two of these losses are in every run: `test_contract_cluster.py` in tests/integration/doorbuster/embedded/topology.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest
from redis.crc import key_slot

from tests.fixtures.accounting import assert_every_202_is_accounted_for
from tests.fixtures.facts import Facts, open_sale
from tests.fixtures.load import Load
from tests.fixtures.losing_nodes import KILLED, RECOVERS_S, UNDER_WAY, lose, nodes, primary_of, wait_whole
from tests.fixtures.up import Running, Up, instance
from tests.fixtures.waiting import wait_until

pytestmark = pytest.mark.soak

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


@pytest.mark.parametrize("part", KILLED)
def test_nothing_is_lost_when_it_is_killed(running: Running, part: str) -> None:
    print(f"\n{part} killed: {lose(running, part)}")


def test_nothing_is_lost_when_a_slot_moves(running: Running) -> None:
    facts, sale = Facts(running), open_sale(running, 100_000, 100_000, 150)
    slot = key_slot(sale.stream.encode())
    with Load(running.base, sale.sale_id, sale.products) as load:
        load.wait_for(60)
        former, source = primary_of(running, "orders", sale.stream)
        other = next(pid for pid in running.pids("orders")[:3] if pid != former)
        (target,) = [node for node in nodes(running, "orders") if node.info("server")["process_id"] == other]
        node_id = target.execute_command("CLUSTER", "MYID").decode()
        moved_at = time.monotonic()
        source.execute_command("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", node_id)
        wait_until(lambda: primary_of(running, "orders", sale.stream)[0] == other, within_s=30, what="the move")
        moved_s, before = time.monotonic() - moved_at, len(load.accepted)
        load.wait_for(UNDER_WAY + 1, within_s=RECOVERS_S)
        facts.wait_drained(sale, before + UNDER_WAY, within_s=RECOVERS_S)
        print(f"\na slot moved within {moved_s:.1f} s, accepts and drains after {time.monotonic() - moved_at:.1f} s")
        load.wait_for(60)
    load.assert_well_answered()
    assert_every_202_is_accounted_for(running, load.accepted)


@pytest.mark.timeout(400)
def test_everything_killed_at_once_and_started_again(up: Up) -> None:
    first = up(*HOW)
    sale = open_sale(first, 100_000, 100_000, 150, partitions=3)
    with Load(first.base, sale.sale_id, sale.products, patience_s=90) as load:
        load.wait_for(100)
        former = first.pids("postgres")[0]
        os.kill(former, signal.SIGKILL)  # so that the other server is the primary that the next run begins with
        wait_until(lambda: first.pids("postgres")[:1] not in ([former], []), within_s=30, what="a promotion")
        load.wait_for(60, within_s=RECOVERS_S)
        first.kill_everything()
        began = time.monotonic()
        second = up()  # on the same folder it is what it was
        load.base = second.base
        load.wait_for(60, within_s=60)
        print(f"\nkilled as a whole: accepts again after {time.monotonic() - began:.1f} s")
    load.assert_well_answered()
    assert {role: len(second.ready["pids"][role]) for role in ("orders", "postgres")} == {"orders": 6, "postgres": 2}
    assert_every_202_is_accounted_for(second, load.accepted)
