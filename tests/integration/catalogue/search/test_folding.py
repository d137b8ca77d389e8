"""One rule for what is indexed and what is asked for, in every script, in both backends."""

# ruff: noqa: RUF001 - letters that look like others are what this is about

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from catalogue.search.folding import clean, fold_ascii
from catalogue.search.interface import Suggestion
from catalogue.search.query_terms import QUERY_MAX, WORDS_MAX, parts, read
from db.connections import pool as pools
from tests.fixtures.search import Refill, Searching, fill

SCRIPTS = {
    "greek": ("Ελληνικός Τάσος", ["Ελληνικός", "Τάσος", "ΕΛΛΗΝΙΚΌΣ", "ελληνικοσ", "τασος", "ΤΑΣΟΣ"]),
    "turkish": ("Işık İstanbul Kılıç", ["ışık", "ISIK", "İstanbul", "istanbul", "ISTANBUL", "kılıç", "KILIÇ", "kilic"]),
    "nfd": (unicodedata.normalize("NFD", "Crème Pâtissière"), ["patissiere", "pâtissière", "CRÈME", "creme"]),
    "nfc": ("Gâteau Fouetté", [unicodedata.normalize("NFD", "fouetté"), "gateau"]),
    "german": ("Weißbier Gläser", ["weissbier", "WEISSBIER", "weißbier", "glaser", "Gläser"]),
    "nordic": ("Smørrebrød Fjällräven", ["smorrebrod", "SMØRREBRØD", "fjallraven"]),
    "polish": ("Żółw Łódź", ["zolw", "łódź", "LODZ"]),
    "thai": ("เสื้อยืดสีดำ", ["เสื้อยืดสีดำ", "เสื้อยืด", "สีดำ", "ยืด"]),
    "hindi": ("हिन्दी किताब", ["हिन्दी", "किताब"]),
    "nukta": ("क़लम", ["क़लम", unicodedata.normalize("NFD", "क़लम")]),
    "tamil": ("தமிழ் நூல்", ["தமிழ்", "நூல்"]),
    "hebrew": ("שָׁלוֹם עֲלֵיכֶם", ["שלום", "שָׁלוֹם", "עליכם"]),
    "arabic": ("كِتَاب القـــرآن", ["كتاب", "كِتَاب", "القرآن", "القران"]),
    "persian": ("می‌خواهم دفتری", ["میخواهم", "می‌خواهم"]),
    "japanese": ("ｶﾞﾝﾀﾞﾑ プラモデル", ["ガンダム", "ｶﾞﾝﾀﾞﾑ", "プラモデル", "モデル"]),
    "kana": ("がくせい かばん", ["がくせい", unicodedata.normalize("NFD", "がくせい")]),
    "korean": ("한국어 사전", ["한국어", unicodedata.normalize("NFD", "한국어"), "사전"]),
    "chinese": ("黑色Ｔ恤", ["黑色T恤", "黑色t恤", "黑色", "T恤", "恤"]),
    "wide": ("Ｗｉｄｅ　ＡＢＣ１２３", ["wide", "abc123", "ＡＢＣ１２３"]),
    "soft": ("Donau\u00addampf\u200bschiff", ["donaudampfschiff", "Donau\u00addampfschiff"]),
    "russian": ("Ёлка Майская", ["елка", "ёлка", "МАЙСКАЯ"]),
    "digits": ("كاميرا ٣٥٠", ["350", "٣٥٠", "كاميرا"]),
    "dashes": ("Canon EF\u20111200 lens", ["ef-1200", "EF\u20131200", "ef1200"]),
    "mark": ("Core™2 Duo®", ["core", "core 2", "duo"]),
    "ligature": ("ﬁne ﬂute", ["fine", "flute"]),
    "points": ("usb-2.0 kabel 1.234,5", ["usb-2.0", "usb 2.0", "2.0 kabel", "1.234,5"]),
}  # fmt: skip


@pytest.fixture
async def everything(db: pools.Connection, searching: Searching, refill: Refill) -> Searching:
    """A shop with a product in each script."""
    await db.execute("truncate products cascade")
    names = [(key, name) for key, (name, _) in SCRIPTS.items()]
    await fill(db, {key: (name, f"Brand{n}", f"Kind{n}", 100, None, {}) for n, (key, name) in enumerate(names)})
    await refill()
    return searching


_SIGNS = st.characters(codec="utf-8", exclude_characters="\x00")
_LETTERS = st.characters(codec="utf-8", categories=["L", "M", "N"])
_PIECES = (
    "1", "2.5", "1,000", ".", ",", "-", "a", "The", "Who", "é", "ß", "İ", "ς", " ", "'", "Ｘ", "\u00ad", "\u0301", "ก็",
    "x1",
)  # fmt: skip
_NAMES = st.one_of(
    st.text(_SIGNS, min_size=1, max_size=40),
    st.lists(st.text(_LETTERS, min_size=1, max_size=8), min_size=1, max_size=5).map(" ".join),
    st.lists(st.sampled_from(_PIECES), min_size=1, max_size=12).map("".join),
)


async def test_each_script_is_found(everything: Searching) -> None:
    missed = []
    for key, (name, words) in SCRIPTS.items():
        missed += [(key, text) for text in (name, *words) if (await everything.ids(text))[:1] != [key]]
    assert missed == []


async def test_letters_that_are_words_must_follow_one_another(everything: Searching) -> None:
    assert await everything.ids("色黑") == []
    assert await everything.ids("ดำสี") == []
    assert Suggestion("product", "เสื้อยืดสีดำ") in await everything.backend.suggest("เสื้อยื", 8)


async def test_suggestions_begin_as_typed_whatever_the_letters(
    db: pools.Connection, searching: Searching, refill: Refill
) -> None:
    await db.execute("truncate products cascade")
    names = {"a": "Stone", "b": "Star", "c": "Çelik"}
    brands = {"a": "Stark", "b": "İstikbal", "c": "Ωmega"}
    await fill(db, {key: (name, brands[key], "Štola", 100, None, {}) for key, name in names.items()})
    await refill()
    suggest = searching.backend.suggest
    assert await suggest("İst", 8) == [Suggestion("brand", "İstikbal"), Suggestion("product", "Star")]
    assert (await suggest("ist", 8))[0] == Suggestion("brand", "İstikbal")
    assert (await suggest("ΩM", 8))[0] == Suggestion("brand", "Ωmega")
    assert Suggestion("product", "Çelik") in await suggest("CEL", 8)
    assert Suggestion("category", "Štola") in await suggest("štol", 8)


async def test_any_name_finds_its_product(db: pools.Connection, searching: Searching, refill: Refill) -> None:
    """The property: whatever Unicode a name is made of, the name and each of its words find the product."""
    names = {f"p-{n}": name for n, name in enumerate(_names(100))}
    await db.execute("truncate products cascade")
    await fill(db, {key: (name, "Ωmega İş", "Żywe Bücher", 100, None, {}) for key, name in names.items()})
    await refill()
    missed = []
    for product_id, name in names.items():
        words = parts(await _folded(db, name))
        for text in (name, *words[:3], *name.split()[:3]) if words else ():
            if read(await _folded(db, text)).terms and product_id not in await _all_pages(searching, text):
                missed.append((name, text))
    assert missed == []


async def _all_pages(searching: Searching, text: str) -> set[str]:
    page = await searching.page(text, limit=100)
    found = {hit.product_id for hit in page.hits}
    while page.after is not None:
        page = await searching.page(text, limit=100, after=page.after)
        found |= {hit.product_id for hit in page.hits}
    return found


def _names(number: int) -> list[str]:
    found: list[str] = []

    @settings(max_examples=number, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(_NAMES)
    def collect(name: str) -> None:
        found.append(name)

    collect()
    return found


async def _folded(db: pools.Connection, text: str) -> str:
    folded: str = await db.fetchval("select search_fold($1)", clean(text))
    return folded


async def test_the_words_of_a_text_are_the_same_in_both_languages(db: pools.Connection) -> None:
    """`parts` in Python and `search_words` in SQL; folding twice is folding once; plain ASCII needs no database."""
    for text in _names(400):
        folded = await _folded(db, text)
        assert await db.fetchval("select search_fold($1)", folded) == folded, text
        words = [word for word in (await db.fetchval("select search_words($1)", folded)).split(" ") if word]
        assert tuple(words) == parts(folded), text
        if text.isascii():
            assert fold_ascii(clean(text)) == folded, text


def test_a_query_is_cut_and_holds_nothing_that_postgres_refuses() -> None:
    assert clean("a\x00b\ud800c ") == "a b c"
    assert len(clean("x" * 10_000)) == QUERY_MAX * 2
    assert len(read("x " * 10_000).tokens) == WORDS_MAX


@given(st.text(max_size=100))
@example("ǅ\u0345\u00ad")
def test_the_key_under_which_answers_are_kept_loses_nothing(text: str) -> None:
    assert not re.search("[\x00\ud800-\udfff]", clean(text))


_IDEOGRAMS = "".join(map(chr, range(0x4E00, 0x9F00)))


@pytest.mark.parametrize(
    ("text", "asked"), [(_IDEOGRAMS * 40, "一丁"), (" ".join(f"w{n}" for n in range(300_000)), "w0 w1")]
)
async def test_a_description_of_any_length_can_be_held(db: pools.Connection, text: str, asked: str) -> None:
    """Postgres holds a megabyte of words: only so much of a description is searched."""
    await fill(db, {"long": ("Tome", "Puffin", "Books", 100, text, {})})
    found = "select search @@ phraseto_tsquery('catalogue_exact', search_words(search_fold($1))) from products"
    assert await db.fetchval(found, asked)
