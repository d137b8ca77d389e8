"""The network cuts off a primary that is not the orders': of room, cache, jobs, Postgres; then brings it back.

Orders are posted all the while, by an instance whose one role has servers of the test's own, one of them in a network
namespace. Every 202 is accounted for, and what is served again when is printed. The orders' own primary is parted in
`test_partitioned_node.py`.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from doorbuster import keys
from tests.fixtures.accounting import assert_every_202_is_accounted_for
from tests.fixtures.cut_off import BUS, CLIENTS, CutCluster, CutWatched, Wires
from tests.fixtures.facts import Facts, open_sale
from tests.fixtures.failover import pair
from tests.fixtures.load import Load
from tests.fixtures.losing_nodes import RECOVERS_S, SERVES, UNDER_WAY
from tests.fixtures.up import Running, Up
from tests.fixtures.waiting import wait_until

pytestmark = pytest.mark.soak


@dataclass
class Times:
    """Seconds from the cut, or from the wires' being whole, until something is so again."""

    accepts: float = 0.0
    serves: float = 0.0
    back: float = 0.0

    def __str__(self) -> str:
        served = f"accepts after {self.accepts:.1f} s, serves after {self.serves:.1f} s"
        return f"{served}, whole {self.back:.1f} s after the wires are"


def _part(load: Load, times: Times, cut: Callable[[], None], serves: Callable[[], bool]) -> None:
    """Cut a server off; wait until orders are accepted, and its part serves again."""
    began = time.monotonic()
    cut()
    load.wait_for(UNDER_WAY + 1, within_s=RECOVERS_S)
    times.accepts = time.monotonic() - began
    wait_until(serves, within_s=RECOVERS_S, what="the part to serve again")
    times.serves = time.monotonic() - began


@pytest.mark.parametrize("role", ["room", "cache"])
def test_a_parted_node_of_a_role_loses_no_order(up: Up, cut_cluster: CutCluster, role: str) -> None:
    cluster = cut_cluster
    running: Running = up(env={f"{role.upper()}_REDIS_URL": cluster.url})
    sale = open_sale(running, 100_000, 100_000)
    beside = open_sale(running, 10, room={"mode": "always", "rate_per_s": 50})
    if role == "room":
        key = keys.room(beside.number)
        cluster.lead(key)
    else:
        key = next(name for name in map(str, itertools.count()) if cluster.primary_of(name) is cluster.away)
    times = Times()

    def serves() -> bool:
        cluster.wait_taken_over(cluster.away, key)  # until then nobody may have asked the one that is cut off
        return SERVES[role](running, beside)

    with Load(running.base, sale.sale_id, sale.products) as load:
        load.wait_for(60)
        assert SERVES[role](running, beside)
        _part(load, times, lambda: cluster.wires.cut(BUS, CLIENTS), serves)
        joined = time.monotonic()
        cluster.wires.join(BUS, CLIENTS)
        wait_until(lambda: cluster.follows() and cluster.is_whole(), within_s=40, what="the old primary to follow")
        times.back = time.monotonic() - joined
        load.wait_for(60, within_s=RECOVERS_S)
        assert SERVES[role](running, beside)
    load.assert_well_answered()
    assert_every_202_is_accounted_for(running, load.accepted)
    print(f"\nthe primary of the {role}'s node is cut off: {times}; {len(load.accepted)} accepted")


def test_a_parted_sentinel_primary_of_jobs_loses_no_order(up: Up, cut_watched: CutWatched) -> None:
    watched = cut_watched
    running: Running = up(env={"JOBS_REDIS_URL": watched.url})
    sale, times = open_sale(running, 100_000, 100_000), Times()
    former = watched.primary()
    with Load(running.base, sale.sale_id, sale.products) as load:
        load.wait_for(60)

        def serves() -> bool:
            watched.wait_taken_over(former)
            return SERVES["jobs"](running, sale)

        _part(load, times, lambda: watched.wires.cut(BUS, CLIENTS), serves)
        joined = time.monotonic()
        watched.wires.join(BUS, CLIENTS)
        wait_until(lambda: watched.follows(former), within_s=40, what="the old primary to follow")
        times.back = time.monotonic() - joined
        load.wait_for(60, within_s=RECOVERS_S)
        assert SERVES["jobs"](running, sale)
    load.assert_well_answered()
    assert_every_202_is_accounted_for(running, load.accepted)
    print(f"\nthe Sentinel primary of jobs is cut off: {times}; {len(load.accepted)} accepted")


def test_a_parted_primary_of_postgres_is_replaced_and_not_written_to(up: Up, wires: Wires) -> None:
    with pair(away=(wires.name, wires.far(CLIENTS))) as two:
        running: Running = up(env={"DATABASE_URL": two.url, "STREAM_KEEP_S": "300"})
        running.ready["urls"]["database"] = two.first.url
        sale, times = open_sale(running, 100_000, 100_000), Times()
        with Load(running.base, sale.sale_id, sale.products) as load:
            load.wait_for(60)
            Facts(running).wait_drained(sale, 20)
            asyncio.run(two.caught_up())

            def cut() -> None:
                wires.cut(CLIENTS)
                asyncio.run(two.second.promote())
                running.ready["urls"]["database"] = two.second.url

            def drains() -> bool:
                facts = Facts(running)
                return facts.wait_drained(sale, facts.drained(sale) + 1, within_s=RECOVERS_S) > 0

            _part(load, times, cut, drains)
            joined = time.monotonic()
            wires.join(CLIENTS)
            written = "select sum(drained) from stream_cursors"
            before = asyncio.run(two.first.ask(written))
            load.wait_for(150, within_s=RECOVERS_S)
            roles = {"replaced", "primary"}
            wait_until(lambda: _roles(running) == roles, within_s=30, what="the old primary to be seen again")
            times.back = time.monotonic() - joined
            assert asyncio.run(two.first.ask(written)) == before, "the old primary was written to"
        load.assert_well_answered()
        assert_every_202_is_accounted_for(running, load.accepted)
        print(f"\nPostgres's primary is cut off: {times}; {len(load.accepted)} accepted")


def _roles(running: Running) -> set[str]:
    servers = running.ops.get("/readyz").json()["checks"]["postgres"]["servers"]
    return {one["role"] for one in servers}
