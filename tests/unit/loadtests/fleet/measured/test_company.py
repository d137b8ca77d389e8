"""How much dearer the parts are in company: what they used, over what they would have used alone."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.fleet.costs import Company, Work, load
from loadtests.fleet.measured.company import Done, factors

COSTS = msgspec.structs.replace(load(), company=Company())
MANY, FEW = Work(40_000, 1_500, 52_000, 130, 60), Work(15_000, 5_000, 27_000, 190, 60)
FACTORS = st.builds(Company, **{part: st.floats(0.8, 2.5) for part in Company.__struct_fields__})


@given(FACTORS)
def test_what_was_made_dearer_by_a_factor_gives_that_factor(company: Company) -> None:
    dear = msgspec.structs.replace(COSTS, company=company).in_company()
    found = factors(COSTS, [Done(work, dear.of(work)) for work in (MANY, FEW)])
    assert msgspec.to_builtins(found) == pytest.approx(msgspec.to_builtins(company))


def test_a_factor_known_before_changes_nothing() -> None:
    done = Done(MANY, COSTS.of(MANY))
    before = msgspec.structs.replace(COSTS, company=Company(intake=1.5))
    assert factors(before, [done]).intake == pytest.approx(1.0)


def test_a_longer_run_weighs_more() -> None:
    more = {part: 2 * seconds for part, seconds in COSTS.of(MANY).items()}
    found = factors(COSTS, [Done(MANY, more), Done(FEW, COSTS.of(FEW))])
    assert 1.5 < found.generator < 2


@pytest.mark.parametrize("used_s", [0.0, 0.01])
def test_a_part_that_used_too_little_to_tell_is_taken_as_alone(used_s: float) -> None:
    assert factors(COSTS, [Done(MANY, {**COSTS.of(MANY), "relay": used_s})]).relay == 1.0


def test_without_a_run_there_is_nothing_to_tell() -> None:
    with pytest.raises(ValueError, match="no run"):
        factors(COSTS, [])
