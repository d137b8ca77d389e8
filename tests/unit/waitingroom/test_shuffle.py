"""The shuffle: a bijection for every size, decided by the seed alone, provable afterwards."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from waitingroom.shuffle import commitment, permute, place_of, seed_of

SECRET = bytes(range(32))


def test_it_is_a_bijection_for_every_small_size() -> None:
    for size in range(1, 300):
        for seed in (b"a" * 32, b"b" * 32):
            assert sorted(permute(index, size, seed) for index in range(size)) == list(range(size))


@settings(max_examples=8, deadline=None)
@given(st.integers(1_000, 6_000), st.binary(min_size=32, max_size=32))
def test_it_is_a_bijection_for_sizes_in_between(size: int, seed: bytes) -> None:
    assert len({permute(index, size, seed) for index in range(size)}) == size


@settings(deadline=None)
@given(st.integers(1, 2**40), st.data())
def test_large_sizes_stay_in_range_and_keep_places_apart(size: int, data: st.DataObject) -> None:
    indices = data.draw(st.sets(st.integers(0, size - 1), min_size=1, max_size=50))
    places = {permute(index, size, SECRET) for index in indices}
    assert len(places) == len(indices)
    assert all(0 <= place < size for place in places)


def test_every_order_of_a_small_lobby_comes_up_about_as_often() -> None:
    orders: dict[tuple[int, ...], int] = {}
    for number in range(6_000):
        seed = seed_of(SECRET, 3, str(number))
        order = tuple(permute(index, 3, seed) for index in range(3))
        orders[order] = orders.get(order, 0) + 1
    assert len(orders) == 6
    assert all(850 < count < 1_150 for count in orders.values()), orders


def test_a_place_is_spread_evenly_over_the_cohort() -> None:
    counts = [0] * 10
    for number in range(10_000):
        counts[permute(0, 1_000, seed_of(SECRET, 1_000, str(number))) // 100] += 1
    assert all(880 < count < 1_120 for count in counts), counts


def test_latecomers_stand_behind_in_order() -> None:
    assert [place_of(number, 100, SECRET) for number in (101, 102, 5_000)] == [101, 102, 5_000]
    assert sorted(place_of(number, 100, SECRET) for number in range(1, 101)) == list(range(1, 101))
    assert place_of(50, 100, b"") == 50


@given(st.integers(0, 2**40), st.text(max_size=20))
def test_another_secret_cohort_or_beacon_gives_another_seed(cohort: int, beacon: str) -> None:
    seed = seed_of(SECRET, cohort, beacon)
    assert seed not in (seed_of(b"x" * 32, cohort, beacon), seed_of(SECRET, cohort + 1, beacon))
    assert seed != seed_of(SECRET, cohort, beacon + "x")
    assert commitment(SECRET) != commitment(b"x" * 32)


def test_it_is_what_the_documents_say_for_whoever_recomputes_it() -> None:
    """Fixed values: changing the permutation would make published proofs worthless."""
    seed = seed_of(SECRET, 1_000, "beacon")
    assert seed.hex() == "cf0b141752634bec01f2cb225af649b1eaed53c7d93e73739de7bd826414e60c"
    assert [place_of(number, 1_000, seed) for number in (1, 2, 3, 1_000)] == [690, 853, 881, 983]
