"""Shapes, percentiles, the catalogue and the loopback guard of the load tests."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.generate.catalogue import generate, popularity
from loadtests.generate.shapes import Shape, recorded, spike
from loadtests.scene.loopback import NotLoopbackError, check_database, target_of
from loadtests.traffic.plan import MAX_SECONDS, Mix, Plan
from loadtests.traffic.samples import Samples

RECORDED = Path(__file__).parents[4] / "shared/data/wc98_spike_1998-05-12.csv"


def test_the_spike_reaches_fifty_times_the_base_within_seconds() -> None:
    shape = spike(base=100)
    assert shape.rate_at(0) == 100
    assert shape.peak == 5_000
    assert shape.rate_at(7.0) == pytest.approx(5_000)
    times = shape.arrivals()
    assert len(times) == pytest.approx(shape.total, abs=1)
    in_peak = sum(1 for time in times if 8.0 <= time < 9.0)
    assert in_peak == pytest.approx(5_000, abs=2)


@given(st.lists(st.tuples(st.floats(0.1, 3), st.floats(0, 300)), min_size=1, max_size=6), st.floats(0, 300))
def test_arrivals_are_in_order_inside_the_shape_and_as_many_as_its_area(
    steps: list[tuple[float, float]], first: float
) -> None:
    corners, at = [(0.0, first)], 0.0
    for length, rate in steps:
        at += length
        corners.append((at, rate))
    shape = Shape(corners)
    times = shape.arrivals()
    assert abs(len(times) - shape.total) <= 1.001
    assert all(left <= right for left, right in pairwise(times))
    assert all(0 <= time <= shape.seconds + 1e-6 for time in times)


def test_a_shape_refuses_corners_out_of_order_and_negative_rates() -> None:
    with pytest.raises(ValueError, match="order of time"):
        Shape([(0, 1), (2, 1), (1, 1)])
    with pytest.raises(ValueError, match="negative"):
        Shape([(0, 1), (2, -1)])


def test_a_recorded_spike_is_rescaled(tmp_path: Path) -> None:
    file = tmp_path / "spike.csv"
    file.write_text("minute,requests\n2024-01-01 00:00:00,10\n2024-01-01 00:01:00,480\n2024-01-01 00:02:00,10\n")
    shape = recorded(file, peak=96, seconds=10)
    assert shape.corners == [(0, 2), (5, 96), (10, 2)]


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded spike is not beside this checkout")
def test_the_real_spike_keeps_its_factor() -> None:
    shape = recorded(RECORDED, peak=1_000, seconds=60)
    assert shape.seconds == 60
    calm = sorted(rate for _, rate in shape.corners)[len(shape.corners) // 2]
    assert shape.peak / calm > 40


@given(st.lists(st.floats(0, 10), min_size=1, max_size=50), st.floats(0, 100))
def test_a_percentile_is_a_sample_with_the_right_rank(values: list[float], percent: float) -> None:
    found = Samples(values).percentile(percent)
    assert found in values
    assert sum(1 for value in values if value <= found) >= len(values) * percent / 100 - 1e-9


def test_percentiles_by_hand() -> None:
    samples = Samples(range(1, 101))
    assert [samples.percentile(p) for p in (0, 50, 99, 100)] == [1, 50, 99, 100]
    assert Samples().percentile(99) == 0.0
    with pytest.raises(ValueError, match="percentage"):
        samples.percentile(101)


def test_the_catalogue_is_the_same_for_a_seed_and_its_popularity_is_skewed() -> None:
    assert generate(count=50, seed=3) == generate(count=50, seed=3)
    assert generate(count=50, seed=3) != generate(count=50, seed=4)
    assert len({product.product_id for product in generate()}) == 2_000
    weights = popularity(2_000)
    assert sum(weights[:20]) > 0.3 * sum(weights)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:80", "http://[::1]:8000", "http://localhost:9", "http://127.9.9.9:1/x"]
)
def test_loopback_is_allowed(url: str) -> None:
    assert target_of(url).port


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1:80",
        "http://example.com:80",
        "https://127.0.0.1:443",
        "http://127.0.0.1",
        "http://0.0.0.0:80",
        "http://localhost.example:80",
        "http://user@192.168.1.1:80",
    ],
)
def test_every_other_target_is_refused(url: str) -> None:
    with pytest.raises(NotLoopbackError):
        target_of(url)


def test_a_plan_is_bounded_and_guarded_itself() -> None:
    mix = Mix(products=["a"], weights=[1], path="/", prefix="t")
    with pytest.raises(NotLoopbackError):
        Plan(base="http://8.8.8.8:80", mix=mix)
    long = Shape([(0, 1), (MAX_SECONDS + 60, 1)]).arrivals().tobytes()
    with pytest.raises(ValueError, match="at most"):
        Plan(base="http://127.0.0.1:80", mix=mix, arrivals=long)


@pytest.mark.parametrize(
    "dsn", ["postgresql:///db?host=/tmp/x", "postgresql://u@127.0.0.1:5/db", "postgresql://u@localhost/db"]
)
def test_databases_of_this_machine_are_allowed(dsn: str) -> None:
    assert check_database(dsn) == dsn


@pytest.mark.parametrize(
    "dsn", ["postgresql://u@db.example/x", "postgresql:///x?host=10.1.1.1", "postgresql:///x?host=/tmp,10.1.1.1"]
)
def test_other_databases_are_refused(dsn: str) -> None:
    with pytest.raises(NotLoopbackError):
        check_database(dsn)
