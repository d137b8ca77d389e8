"""A drain's memory of people against plain counting."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from db.work.people_counts import PeopleCounted
from workers.drain.people_memory import PeopleMemory

# Few, so that they come again; some share their first bytes, one is named twice, and zeros are found in many places.
_NAMES = [bytes((one % 3, 0)) + bytes((one,)) * 14 for one in range(9)] + [bytes(16), b"\0" * 15 + b"\1"]
_changes = st.lists(
    st.tuples(st.sampled_from(["lamp", "rug"]), st.integers(-3, 70_000), st.sets(st.sampled_from(_NAMES), min_size=1)),
    max_size=12,
)


@settings(deadline=None)  # what has moved to the others takes a map of 32 MiB
@given(changes=_changes, recent_max=st.integers(0, 12), heard=st.booleans())
def test_it_knows_what_everybody_has(changes: list[tuple[str, int, set[bytes]]], recent_max: int, heard: bool) -> None:
    memory, had = PeopleMemory(recent_max), Counter[tuple[str, bytes]]()
    known: set[tuple[str, bytes]] = set()
    for number, (product_id, units, names) in enumerate(changes, 1):
        if heard:
            memory.hear([PeopleCounted(product_id, number, units, b"".join(sorted(names)))])
        else:
            memory.count(product_id, dict.fromkeys(names, units))
            memory.note(product_id, number)
        known |= {(product_id, one) for one in names}
        for one in names:
            had[product_id, one] += units
        found = memory.find([*_NAMES, b"somebody unknown"])
        assert {(p, one): n for p, counts in found.items() for one, n in counts.items()} == {
            place: had[place] for place in known
        }


def test_of_one_batch_each_product_is_counted() -> None:
    memory = PeopleMemory()
    memory.add("lamp", 1, [b"a" * 16, b"b" * 16])
    memory.add("rug", 2, [b"a" * 16])
    assert memory.find([b"a" * 16, b"b" * 16]) == {"lamp": {b"a" * 16: 1, b"b" * 16: 1}, "rug": {b"a" * 16: 2}}


def test_it_is_behind_whoever_counted_later() -> None:
    memory = PeopleMemory()
    assert memory.behind({"lamp": 0}) == {}
    assert memory.behind({"lamp": 7}) == {"lamp": 0}
    memory.note("lamp", 7)
    assert memory.behind({"lamp": 7, "rug": 3}) == {"rug": 0}
    memory.note("lamp", 5)  # heard late
    assert memory.behind({"lamp": 7}) == {}
    assert memory.behind({"lamp": 9}) == {"lamp": 7}
