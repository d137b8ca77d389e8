"""Calibrating and measuring a whole system, in small: every figure is there; they mean nothing."""

from __future__ import annotations

import pytest

from loadtests.fleet.costs import Costs
from loadtests.fleet.measured import cluster, compare

pytestmark = [pytest.mark.soak, pytest.mark.usefixtures("patience")]


async def test_a_machine_is_calibrated_predicted_and_measured() -> None:
    found = await compare.compare(lambda _: None, turns=1, seconds=1.0)
    kept = {name for name in Costs.__struct_fields__ if name.endswith("order_us")}
    assert {name for name in kept if getattr(found.costs, name) <= 0} == set()
    assert [(one.partitions, one.clients) for one in found.compared] == [(1, 64), (2, 64), (4, 64), (1, 256)]
    for one in found.compared:
        assert one.ratio > 0
        assert 0 < one.measured("busy_cores") <= found.cores
        assert {part for part, us in one.all_us.items() if us <= 0} == set()
    assert found.recovered.still_s > 1


async def test_accepting_is_measured_on_both_topologies() -> None:
    found = await cluster.measure(lambda _: None, turns=1, seconds=1.0)
    assert {(one.topology, one.partitions) for one in found.turns} == {
        (name, count) for name in cluster.TOPOLOGIES for count in cluster.PARTITIONS
    }
    assert all(one.per_s > 0 and one.store_us > 0 for one in found.turns)
