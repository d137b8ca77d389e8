"""Identities: what is the same person is one value, what is not is another, and nothing as it was sent is kept."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from doorbuster.values import identities
from doorbuster.values.identities import KINDS, fold, hashed, pack, unpack

KEY = b"k" * 32


@pytest.mark.parametrize(
    ("kind", "forms"),
    [
        ("email", ("Ada@Example.com", "ada@example.com", " ada@EXAMPLE.com. ", "ada\u200b@example.com")),
        ("email", ("ada.b@gmail.com", "adab+sale@gmail.com", "A.D.A.B@googlemail.com", "adab@gmail.com")),
        ("email", ("ada@outlook.com", "ada+1@Outlook.com")),
        ("email", ("ada@hotmail.fr", "ada+x+y@hotmail.fr")),
        ("email", ("ada@live.co.uk", "ada+1@live.co.uk")),
        ("email", ("ada@fastmail.com", "ada+1@fastmail.com")),
        ("email", ("ada@proton.me", "ada+1@protonmail.com", "ada@pm.me")),
        ("email", ("ada@icloud.com", "ada+1@me.com", "ada@mac.com")),
        ("email", ("ada@yahoo.com", "ada-1@yahoo.com", "ada-x-y@yahoo.com")),
        ("email", ("ada@yahoo.de", "ada-1@yahoo.de")),
        ("email", ("\uff41da@example.com", "ada@example.com")),
        ("card", ("4242 4242-4242", "424242424242", " 4242\u20114242\u00a04242 ")),
        ("address", ("1 Main St., Apt. 2", "1 MAIN ST APT 2", "1  main st;apt-2")),
        ("device", ("d-1", " d-1 ", "d-\u200b1")),
    ],
)
def test_forms_of_one(kind: str, forms: tuple[str, ...]) -> None:
    assert len({hashed(KEY, kind, form) for form in forms}) == 1


@pytest.mark.parametrize(
    ("kind", "others"),
    [
        ("email", ("ada.b@example.com", "adab@example.com", "adab+1@example.com", "adab-1@example.com")),
        ("email", ("ada.b@outlook.com", "adab@outlook.com", "adab-1@outlook.com", "adab@hotmail.com")),
        ("email", ("ada@yahoo.com", "ada+1@yahoo.com", "ada@yahoo.de", "a.da@yahoo.com")),
        ("email", ("ada+1@live.mine.example", "ada@live.mine.example")),
        ("email", ("+@gmail.com", ".@gmail.com", "@gmail.com", "gmail.com")),
        ("card", ("4242", "4243", "424 2x")),
        ("address", ("1 Main St", "11 Main St", "1 Mains T")),
        ("device", ("d-1", "D-1", "d1")),
    ],
)
def test_others_are_others(kind: str, others: tuple[str, ...]) -> None:
    for one, other in combinations(others, 2):
        assert hashed(KEY, kind, one) != hashed(KEY, kind, other), (one, other)


def test_a_value_of_one_kind_is_none_of_another_nor_of_another_sale() -> None:
    values = {hashed(key, kind, "ada") for key in (KEY, b"other" * 7) for kind in KINDS}
    assert len(values) == 2 * len(KINDS)


@given(st.tuples(*[st.none() | st.text(min_size=1, max_size=256)] * 4))
def test_what_is_packed_is_what_was_given_by_kind_and_hash(values: tuple[str | None, ...]) -> None:
    packed = pack(KEY, values)
    given_ones = [(n, hashed(KEY, KINDS[n - 1], value)) for n, value in enumerate(values, 1) if value is not None]
    assert unpack(packed or b"") == given_ones
    assert (packed is None) == (not given_ones)


@given(st.sampled_from(KINDS), st.text(min_size=1, max_size=256))
@example("email", " ")
def test_folding_is_done_once(kind: str, text: str) -> None:
    assert fold(kind, text), "what has nothing to fold to stays as it was sent"
    assert hashed(KEY, kind, text) == hashed(KEY, kind, text)


def test_nothing_as_it_was_sent_is_in_the_bytes() -> None:
    packed = pack(KEY, ("ada@example.com", "4242424242424242", "1 main st", "device-1"))
    assert packed is not None
    assert len(packed) == 4 * identities.SIZE
    for secret in (b"ada", b"4242", b"main", b"device"):
        assert secret not in packed


@given(st.sampled_from(KINDS), st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=60))
@example("address", '12, Long-Street.  "B"')
@example("card", " fp-12 - 34 ")
@example("card", "- -")
def test_plain_text_is_folded_as_any_other(kind: str, text: str) -> None:
    """A sign that is not seen does not count, and takes the text the long way."""
    assert fold(kind, text) == (fold(kind, text + "\u200b") if text.strip() else text)
