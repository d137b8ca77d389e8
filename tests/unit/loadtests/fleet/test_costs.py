"""What some work takes follows from the costs, alone and in company."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.fleet.costs import Company, Costs, Work, load

COSTS = msgspec.structs.replace(load(), company=Company())
COUNTS = st.floats(0, 1e6)
FACTORS = st.floats(0.5, 3.0)
PARTS = Company.__struct_fields__


def test_a_part_takes_so_much_an_order_and_so_much_a_batch() -> None:
    costs = msgspec.structs.replace(COSTS, intake_order_us=20, intake_call_us=100, drain_order_us=3, drain_batch_us=500)
    took = costs.of(Work(accepted=1_000, calls=50, drained=2_000, batches=4, tellings=0))
    assert took["intake"] == pytest.approx(0.025)
    assert took["drain"] == pytest.approx(0.008)
    assert set(took) == set(PARTS)


@given(st.builds(Work, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS), st.tuples(*[FACTORS] * len(PARTS)))
def test_in_company_each_part_takes_its_own_factor_more_and_nothing_else_changes(
    work: Work, dearer: tuple[float, ...]
) -> None:
    company = Company(**dict(zip(PARTS, dearer, strict=True)))
    together = msgspec.structs.replace(COSTS, company=company).in_company()
    alone, took = COSTS.of(work), together.of(work)
    assert took == pytest.approx({part: alone[part] * getattr(company, part) for part in PARTS})
    assert together.company == Company()  # it is in already
    kept = {name for name in Costs.__struct_fields__ if getattr(together, name) == getattr(COSTS, name)}
    assert {"fsync_s", "commit_s", "rest_cores", "wal_bytes_order", "drain_overlap", "settle_order_us"} <= kept


@pytest.mark.parametrize("factor", [0.0, -1.0, float("inf"), float("nan")])
def test_a_factor_that_cannot_be_is_refused(factor: float) -> None:
    with pytest.raises(ValueError, match=r"company\.drain"):
        Company(drain=factor)
