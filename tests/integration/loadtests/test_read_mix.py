"""The reads of a sale in small, against a whole system with a replica."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtests import read_mix
from loadtests.check.report import console
from tests.fixtures.load_runs import left_running

pytestmark = pytest.mark.usefixtures("patience")


async def test_the_reads_of_a_sale_leave_the_primary_alone_and_an_emptied_cache_costs_little(scratch: Path) -> None:
    outcome = await read_mix.play(scratch, read_mix.QUICK, console())
    assert outcome.faults == []
    assert len(outcome.browsed.answers) == len(read_mix.QUICK.reads.arrivals())
    assert outcome.by_server["replica 1"] > 0
    assert outcome.by_place["search", "backend"] > 0
    assert 1 <= len({process for process, _, _ in outcome.refills}) <= read_mix.QUICK.intake
    assert outcome.emptied.second >= read_mix.QUICK.height_s
    assert left_running(scratch) == []
