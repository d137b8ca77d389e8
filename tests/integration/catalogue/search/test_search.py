"""What is found, in which order, how it is counted and paged: the same in both backends."""

from __future__ import annotations

from typing import Any

import pytest

from catalogue.search.interface import FacetCounts, PriceCount, Sort, Suggestion, TooLongError
from catalogue.search.postgres_backend import PostgresSearch
from catalogue.search.query_terms import STOPPED
from db.connections import pool as pools
from db.connections.replicas import Replicas
from db.products import search as rows
from tests.fixtures.search import SHOP, Searching, fill

FOUND = {
    "006R90321": {"006R90321"},
    "006r90321": {"006R90321"},
    "dv7-1211ea": {"hp-1"},
    "dv7 1211ea": {"hp-1"},
    "dv71211ea": {"hp-1"},
    "dv7 1211 ea": {"hp-1"},
    "006r 90321": {"006R90321"},
    "xerox 006 r 90321 toner": {"006R90321"},
    "a 006r 90321": {"006R90321"},  # a word that does not count is no part of it
    "key board": {"kb-1", "kb-2", "kb-3"},
    "a4": set(),  # nor every 4
    "i-4": set(),
    "16 gb": {"stick"},
    "usb stick 16gb": {"stick"},
    "4006381333931": {"stick"},  # a barcode among the attributes
    "rechargeable battery": {"lamp"},  # batteries
    "cafe creme": {"cafe"},
    "CAFÉ": {"cafe"},
    "AZERTY": {"kb-3"},
    "copycentre toner": {"006R90321"},
    "tv": {"tv-1"},  # said in other words
    "laptop hp": {"hp-1", "hp-2", "hp-3", "hp-4"},
    "table lamp": {"lamp"},
}


async def test_words_find(searching: Searching) -> None:
    assert {text: set(await searching.ids(text)) for text in FOUND} == FOUND


async def test_the_thing_comes_before_what_belongs_to_it(searching: Searching) -> None:
    assert set((await searching.ids("notebook"))[:2]) == {"hp-1", "hp-2"}
    ids = await searching.ids("keyboard")
    assert set(ids[:2]) == {"kb-1", "kb-3"}
    assert ids[2] == "kb-2"
    assert (await searching.ids("keyboard cover"))[0] == "kb-2"


async def test_the_last_word_may_be_unfinished(searching: Searching) -> None:
    assert await searching.ids("wireless keyb") == ["kb-3"]
    assert await searching.ids("xero") == ["006R90321"]


async def test_misspelt_words_are_understood(searching: Searching) -> None:
    for text, best in {"keybord": "kb-1", "televison": "tv-1", "xeroks toner": "006R90321"}.items():
        assert best in (await searching.ids(text))[:3], text


async def test_words_that_no_product_has_together_find_those_with_any(searching: Searching) -> None:
    assert {"lamp", "tv-1"} <= set(await searching.ids("lamp television"))


async def test_what_has_every_word_comes_before_what_has_any(searching: Searching) -> None:
    # The one wireless keyboard says less of what is asked for in as many words than another that is not wireless.
    assert (await searching.ids("quiet cordless keyboard"))[:2] == ["kb-3", "kb-1"]


async def test_a_rare_word_says_more_than_a_common_one(searching: Searching) -> None:
    ids = await searching.ids("lumo television")
    assert ids[0] == "tv-1"  # has the one word that nothing else has
    assert {"kb-1", "lamp", "stick"} <= set(ids)


async def test_words_that_do_not_count_change_nothing(searching: Searching) -> None:
    plain, wordy = await searching.page("keyboard dust"), await searching.page("a keyboard for the dust")
    assert [hit.product_id for hit in wordy.hits] == [hit.product_id for hit in plain.hits]
    assert [hit.key for hit in wordy.hits] == pytest.approx([hit.key for hit in plain.hits], abs=1e-3)
    assert wordy.total == plain.total


async def test_the_words_that_do_not_count_are_those_of_postgres(db: pools.Connection) -> None:
    ask = "select word from unnest($1::text[]) as w (word) where to_tsvector('catalogue_words', word) = ''"
    asked = sorted(STOPPED | set(SHOP) | {"b", "c", "x", "us", "use"})
    assert {row["word"] for row in await db.fetch(ask, asked)} == STOPPED


async def test_misspelt_words_rank_like_the_words_they_are_read_as(searching: Searching) -> None:
    assert (await searching.ids("keybord"))[:3] == (await searching.ids("keyboard"))[:3]


async def test_filters(searching: Searching) -> None:
    assert set(await searching.ids("keyboard", brands=("Orro",))) == {"kb-3"}
    assert set(await searching.ids("keyboard", brands=("Orro", "Lumo"))) == {"kb-1", "kb-2", "kb-3"}
    assert set(await searching.ids("hp", categories=("Bags", "Power"))) == {"hp-3", "hp-4"}
    assert set(await searching.ids("keyboard", min_price=990, max_price=2_490)) == {"kb-1", "kb-2"}
    assert await searching.ids("keyboard", brands=("HP",)) == []
    assert set(await searching.ids(brands=("Orro",))) == {"kb-3", "tv-1", "cafe"}


async def test_facets_leave_their_own_filter_out(searching: Searching) -> None:
    page = await searching.page("keyboard", brands=("Orro",))
    assert page.total == 1
    assert page.facets.brands == (FacetCounts("Lumo", 2), FacetCounts("Orro", 1))
    assert page.facets.categories == (FacetCounts("Keyboards", 1),)
    assert page.facets.prices == (PriceCount(2_500, 5_000, 1),)
    assert (await searching.page("keyboard", max_price=1_000)).facets.prices == (
        PriceCount(0, 2_500, 2),
        PriceCount(2_500, 5_000, 1),
    )


async def test_sorts(searching: Searching) -> None:
    assert await searching.ids("keyboard", sort="price") == ["kb-2", "kb-1", "kb-3"]
    assert await searching.ids("keyboard", sort="-price") == ["kb-3", "kb-1", "kb-2"]
    assert await searching.ids("keyboard", sort="newest") == ["kb-3", "kb-2", "kb-1"]
    assert await searching.ids(sort="newest", limit=2) == ["cafe", "lamp"]


@pytest.mark.parametrize("sort", ["relevance", "price", "-price", "newest"])
async def test_pages_give_every_hit_once_in_order(searching: Searching, sort: Sort) -> None:
    for text in ("", "hp notebook", "wireless keybord lamp"):
        await _page_through(searching, sort, text)


async def _page_through(searching: Searching, sort: Sort, text: str) -> None:
    whole = await searching.page(text, sort=sort, limit=100)
    assert whole.after is None
    seen, after = [], None
    for _ in SHOP:
        page = await searching.page(text, sort=sort, limit=2, after=after)
        seen += page.hits
        after = page.after
        if after is None:
            break
    assert [hit.product_id for hit in seen] == [hit.product_id for hit in whole.hits]
    assert len(seen) == whole.total
    if not text:
        assert whole.total == len(SHOP)


SIGNS = ["😀", "!!!", "'", "'':*", "\\", "&|!<->()", "' | '", "--", "%_", ":*", "\x00", "…", '"', "{}", "((("]
AROUND = [
    "lamp'; drop table products; --", "lamp:* & !keyboard", "lamp <2> 'x", "lamp\x00\x01", "lamp 😀", "'lamp'",
    "lamp/**/", "lamp\\", "lamp " + "&" * 10_000, "lamp " + "😀" * 10_000, "name:lamp", "(lamp", "lamp~9^99",
]  # fmt: skip
STRANGE = [
    # Pasted titles, and words that many others mean: a backend may bound how much is asked at a time.
    "hp pavilion dv7-1211ea notebook 17 inch 4gb 250gb windows vista xyzzy plugh",
    "laptop tv monitor wifi ssd ups nas cpu gpu pc psu hdd",
    "wifi hdd ups gpu usb stick laptopp psuu monitorr printerr keyboardd headphonee smartphonee",
    "lp 2475w wifi ssd hdd",
    "ps 4 usb stick hdd gpu laptop wifi",
    "a" * 10_000,
    "a b " * 5_000,
    "x-" * 5_000,
    "1." * 5_000,
    "the " * 2_000,
    "١٢٣ अ 漢字 ß",
    "* OR *",
    "AND NOT",
]


async def test_signs_find_nothing_and_break_nothing(searching: Searching) -> None:
    assert [text for text in SIGNS if (await searching.page(text)).total] == []


async def test_signs_around_a_word_do_not_hide_it(searching: Searching) -> None:
    assert [text for text in AROUND if "lamp" not in await searching.ids(text)] == []


async def test_very_long_and_strange_queries_end(searching: Searching) -> None:
    for text in STRANGE:
        await searching.page(text)
        await searching.backend.suggest(text, 5)
    assert "lamp" in await searching.ids("lamp"), "a connection was left in a bad state"


async def test_suggestions(searching: Searching) -> None:
    suggest = searching.backend.suggest
    assert (await suggest("lum", 8))[0] == Suggestion("brand", "Lumo")
    assert await suggest("l", 8) == [Suggestion("brand", "Lumo"), Suggestion("category", "Lamps")]
    assert Suggestion("category", "Keyboards") in await suggest("Key", 8)
    assert Suggestion("product", "HP Notebook Sleeve") in await suggest("notebook sl", 8)
    assert Suggestion("product", "Lumo Keyboard black") in await suggest("lumo k", 8)  # a letter says nothing yet
    assert await suggest("quiet", 8) == []  # nor does a description: nobody would see why
    assert await suggest("100%", 8) == []
    assert await suggest("", 8) == []
    assert len(await suggest("hp", 2)) == 2


async def test_what_was_found_strictly_is_shown_though_loosening_takes_too_long(
    db: pools.Connection, replicas: Replicas, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The statement really runs into its time-out; the negative control: without anything found it is an error."""
    await fill(db)
    searching = Searching(PostgresSearch(replicas, timeout_s=1.0, at_once=3))
    at_once = rows.search

    async def endless_when_loosened(
        connection: pools.Connection, asked: rows.SearchQuestion, *more: Any, **how: Any
    ) -> Any:
        if asked.stricter:
            await connection.execute("select pg_sleep(10)")
        return await at_once(connection, asked, *more, **how)

    monkeypatch.setattr(rows, "search", endless_when_loosened)
    assert await searching.ids("wireless keyboard") == ["kb-3"]
    with pytest.raises(TooLongError, match="more words make it narrower"):
        await searching.ids("wireless lamp")
    assert await searching.ids("notebook")
