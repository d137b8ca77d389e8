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
    assert [one.partitions for one in found.compared] == [1, 2, 4]
    for one in found.compared:
        assert one.measured_per_s > 0
        assert one.predicted_per_s > 0
        assert {part for part, us in one.measured_us.items() if us <= 0} == set()


async def test_accepting_is_measured_on_both_topologies() -> None:
    found = await cluster.measure(lambda _: None, turns=1, seconds=1.0)
    assert {(one.topology, one.partitions) for one in found.turns} == {
        (name, count) for name in cluster.TOPOLOGIES for count in cluster.PARTITIONS
    }
    assert all(one.per_s > 0 and one.store_us > 0 for one in found.turns)
