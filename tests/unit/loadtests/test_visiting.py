"""Shoppers of the waiting room, and promise P7 held against what they were given."""

from __future__ import annotations

import msgspec
import pytest

from doorbuster.contract.room import RoomRequest
from loadtests.check.admitted import figures, most_over
from loadtests.traffic.plan import Mix, Plan, Result, Visits, Way, merged
from loadtests.traffic.samples import Samples

ROOM = RoomRequest(mode="always", rate_per_s=10, burst=5)
MIX = Mix(products=["a"], weights=[1.0], path="/sales/s/orders", prefix="t")


@pytest.mark.parametrize(
    ("ends", "over"),
    [
        ({}, 0),
        ({"100": 10, "101": 10}, 0),
        ({"100": 15}, 5),
        ({"100": 12, "101": 12, "102": 12}, 6),
        ({"100": 15, "105": 15}, 5),  # the quiet seconds between them pay for the second
        ({"100": 15, "101": 5, "102": 15}, 5),
        ({"100": 15, "101": 9, "102": 15}, 9),
    ],
)
def test_the_worst_window_is_found(ends: dict[str, int], over: int) -> None:
    assert most_over(ends, 10) == over


def test_one_admission_too_many_breaks_the_promise() -> None:
    kept = Result(visits=Visits(admitted=15, ends={"100": 15}))
    assert sum(figure.breaches for figure in figures(kept, ROOM, orders=15)) == 0
    broken = Result(visits=Visits(admitted=16, ends={"100": 16}))
    assert [figure.breaches for figure in figures(broken, ROOM, orders=16)] == [1, 0, 0]


def test_more_orders_than_admissions_and_orders_without_one_break_it() -> None:
    result = Result(visits=Visits(admitted=2, unadmitted=3, ends={"100": 2}))
    assert [figure.breaches for figure in figures(result, ROOM, orders=4)] == [0, 2, 3]
    twice = msgspec.structs.replace(ROOM, orders_allowed=2)
    assert [figure.breaches for figure in figures(result, twice, orders=4)] == [0, 0, 3]


def test_visits_of_several_generators_add_up() -> None:
    one = Visits(joined=1, admitted=1, ends={"7": 1}, waited=Samples([0.5]).to_bytes())
    two = Visits(joined=2, early=3, ends={"7": 1, "8": 1}, waited=Samples([0.1, 0.2]).to_bytes())
    found = merged([Result(visits=one), Result(visits=two), Result()]).visits
    assert found is not None
    assert (found.joined, found.admitted, found.early, found.ends) == (3, 1, 3, {"7": 2, "8": 1})
    assert len(Samples.from_bytes(found.waited)) == 3
    assert merged([Result()]).visits is None


def test_visitors_come_at_times_of_their_own() -> None:
    with pytest.raises(ValueError, match="arrivals"):
        Plan(base="http://127.0.0.1:1", mix=MIX, room=Way(base="/sales/s/room"))
