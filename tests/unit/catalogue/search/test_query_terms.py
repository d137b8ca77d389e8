"""How a query is read."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from catalogue.search.folding import fold_ascii
from catalogue.search.interface import After, read_cursor, write_cursor
from catalogue.search.query_terms import QUERY_MAX, WORDS_MAX, parts, read


def test_model_numbers_have_their_spellings() -> None:
    (term,) = read("dv7-1211ea").terms
    assert term.words == ((("dv7", "1211ea"), ("dv71211ea",)),)


def test_words_apart_may_be_one() -> None:
    assert [term.joined for term in read("hp lp 2475w").terms] == [
        ("hplp", "hplp2475w"),
        ("hplp", "lp2475w", "hplp2475w"),
        ("lp2475w", "hplp2475w"),
    ]
    assert [term.joined for term in read("the think-pad case").terms] == [
        (),  # does not count: it would be found by what it is joined to alone
        ("thethinkpad", "thinkpadcase", "thethinkpadcase"),
        ("thinkpadcase", "thethinkpadcase"),
    ]
    assert not any(term.joined for term in read("one two three four five six seven").terms)


def test_what_is_left_of_a_model_number_without_words_that_do_not_count_is_no_spelling() -> None:
    assert read("a4 i-7 4s").terms[0].words == ((("a4",),),)
    assert [term.words for term in read("i-7 4s").terms] == [((("i7",),),), ((("4s",),),)]
    assert read("10a").terms[0].words == ((("10a",), ("10", "a")),)  # amperes
    assert read("t-shirt").terms[0].words == ((("t", "shirt"), ("tshirt",)),)


def test_numbers_and_units_are_one_thing() -> None:
    assert read("16gb").terms[0].words == ((("16gb",), ("16", "gb")),)
    (term,) = read("16 gb").terms
    assert ("16gb",) in term.same


def test_decimals_stay_whole_and_thousands_lose_their_comma() -> None:
    assert parts("10.2") == ("10.2",)
    assert parts("10,000") == ("10000",)


def test_words_known_together_are_one_term() -> None:
    terms = read("external hard drives black").terms
    assert [len(term.words) for term in terms] == [3, 1]
    assert ("external", "hdd") in terms[0].also


@example("1-" * 100)
@given(st.text(max_size=2_000))
def test_any_text_is_read_within_bounds(text: str) -> None:
    words = read(fold_ascii(text))
    assert len(words.tokens) <= WORDS_MAX
    assert len(words.single) <= WORDS_MAX
    assert sum(map(len, words.tokens)) <= QUERY_MAX
    assert all(phrase and all(phrase) for term in words.terms for word in term.words for phrase in word)


@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=64),
)
def test_cursors_come_back_exactly(key: float, product_id: str) -> None:
    after = After("relevance", 2, key, product_id)
    assert read_cursor(write_cursor(after), "relevance") == after


def test_neighbours_are_one_word_only_where_there_is_such_a_word() -> None:
    words = read("think pad charger")
    assert words.joined == {"thinkpad", "padcharger", "thinkpadcharger"}
    known = words.joined_as(frozenset({"thinkpad"}))
    assert [term.joined for term in known.terms] == [("thinkpad",), ("thinkpad",), ()]
    assert known.tokens == words.tokens
