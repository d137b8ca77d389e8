"""The words of the pages: complete in every language, right for one and for many, right for every currency."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from doorbuster.contract.problems import FAULTS
from doorbuster.errors import SettingsError
from intake.orders.resources import BY_CUSTOMER
from intake.pages.locale import tongue_of
from intake.pages.offers import image_of
from intake.pages.plain_text import plain
from intake.pages.render import Pages, wait_of
from intake.pages.standing import Standing
from intake.pages.texts import read_texts
from intake.room.attempts import Placed, digest_of, key_of, read_placed, spoken, write_placed
from intake.room.browser import Browser
from intake.web.problems import RETRY_AFTER
from workers.drain.decide import Poison, Reason
from workers.payments.reconcile import DECLINED, EXPIRED

PAGES = Pages(None)
LANGUAGES = sorted(PAGES.texts)
BUILT_IN = Path("intake/pages/texts")
REASONS = {*map(str, Reason), *map(str, Poison), DECLINED, EXPIRED, BY_CUSTOMER, "standby_ended"} - {Reason.STANDBY}
ORDER = "00000100-783a-87a7-ac3d-28c5383a4d5d"


def names_in(text: str | dict[str, str]) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text if isinstance(text, str) else " ".join(text.values())))


def test_there_are_the_four_languages() -> None:
    assert LANGUAGES == ["de", "en", "es", "ja"]


@pytest.mark.parametrize("language", ["de", "es", "ja"])
def test_a_language_has_every_text_with_the_same_values(language: str) -> None:
    own, english = read_raw(language), read_raw("en")
    assert own.keys() == english.keys()
    for name, text in english.items():
        counted = {"n"} if isinstance(text, dict) or isinstance(own[name], dict) else set()
        assert names_in(own[name]) | counted == names_in(text) | counted, name


def read_raw(language: str) -> dict[str, str | dict[str, str]]:
    import tomllib

    return tomllib.loads((Path(__file__).parents[4] / BUILT_IN / f"{language}.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_phase_and_problem_has_its_words(language: str) -> None:
    texts = PAGES.texts[language]
    assert {f"reason_{reason}" for reason in REASONS} <= texts.keys()
    assert {f"now_{standing}" for standing in Standing} <= texts.keys()
    shop = {"overloaded", "store_unavailable", "sold_out", "limit_exceeded", "sale_not_open", "invalid", "malformed"}
    assert {f"problem_{code}" for code in shop | (RETRY_AFTER & FAULTS.keys())} <= texts.keys()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("count", [0, 1, 2, 5, 1_000_000])
def test_counted_texts_are_right_for_any_number(language: str, count: int) -> None:
    say = PAGES.words(tongue_of(language, tuple(LANGUAGES)))
    for name, text in PAGES.texts[language].items():
        if isinstance(text, dict):
            assert "{n}" not in say(name, count)
    assert say("people_waiting", count) != say("people_waiting", 3)


def test_one_and_many_differ_where_the_language_does() -> None:
    german = PAGES.words(tongue_of("de", tuple(LANGUAGES)))
    assert (german("people_waiting", 1), german("people_waiting", 2)) == ("1 Person wartet", "2 Personen warten")


@pytest.mark.parametrize(
    ("currency", "shown"),
    [
        ("EUR", "€1,500.00"), ("JPY", "¥150,000"), ("KRW", "₩150,000"), ("XOF", "F\u202fCFA150,000"),
        ("KWD", "KWD150.000"), ("BHD", "BHD150.000"), ("JOD", "JOD150.000"), ("HUF", "HUF1,500.00"),
        ("ISK", "ISK150,000"), ("CLF", "CLF15.0000"), ("IQD", "IQD150.000"), ("LBP", "LBP1,500.00"),
        ("RSD", "RSD1,500.00"), ("COP", "COP1,500.00"), ("", ""),
    ],
)  # fmt: skip
def test_an_amount_has_the_decimals_of_iso_4217(currency: str, shown: str) -> None:
    assert tongue_of("en", ("en",)).amount(150_000, currency) == shown


@pytest.mark.parametrize(
    ("header", "language", "figures"),
    [
        ("de-AT,en;q=0.5", "de", "de_AT"), ("fr-CH", "en", "fr_CH"), ("es-419", "es", "es_419"), ("", "en", "en"),
        ("*;q=x,,;", "en", "en"), ("xx-Nowhere,ja;q=0.1", "ja", "ja"), ("de-" + "y" * 30, "de", "de"),
        ("x" * 100_000, "en", "en"), ("en;q=0,de;q=0", "en", "en"), ("zh-TW", "en", "zh_Hant_TW"),
    ],
)  # fmt: skip
def test_a_visitor_reads_its_language_and_its_own_figures(header: str, language: str, figures: str) -> None:
    tongue = tongue_of(header, tuple(LANGUAGES))
    assert (tongue.language, str(tongue.figures)) == (language, figures)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "The queue is not moving right now"), ((0, 0), "Less than a minute"), ((1, 59), "Less than a minute"),
        ((10, 100), "Up to 2 min"), ((240, 540), "4 to 9 min"), ((240, 240), "About 4 min"),
        ((3000, 4000), "50 min to 1 hr 7 min"), ((4000, 50_000), "More than 12 hours"),
        ((50_000, 60_000), "The queue is not moving right now"),
    ],
)  # fmt: skip
def test_a_wait_is_a_range(seconds: tuple[float, float] | None, words: str) -> None:
    tongue = tongue_of("en-US", tuple(LANGUAGES))
    assert wait_of(seconds, PAGES.words(tongue), tongue) == words


def test_texts_of_the_operators_own_are_checked(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    file = tmp_path / "texts" / "en.toml"
    for wrong in ('join = { one = "x" }', "join = 7", "join = "):
        file.write_text(wrong)
        with pytest.raises(SettingsError, match=r"ROOM_PAGES: .*en\.toml"):
            read_texts([tmp_path])
    file.write_text('join = "{name} and {nothing}"')
    assert read_texts([tmp_path])["en"]["join"] == "{name} and {nothing}"


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>A</p><p>B &amp; C</p><script>alert(1)</script>", "A B & C"), ("5 < 6 and 7 > 3", "5 < 6 and 7 > 3"),
        ("a<br>b", "a b"), ("&lt;b&gt;x&lt;/b&gt;", "<b>x</b>"), ("<ul><li>One<li>Two</ul>", "One Two"),
        ("<b>fast</b>er", "faster"), ("<img src=x onerror=alert(1)>hi", "hi"), ("<style>p{}</style>x", "x"),
        ("<!-- c -->y", "y"), ("plain\n text ", "plain text"),
    ],
)  # fmt: skip
def test_html_is_read_as_text(html: str, text: str) -> None:
    assert plain(html) == text


@pytest.mark.parametrize(
    ("attributes", "image"),
    [
        ({"image": "https://a.example/x.jpg"}, "https://a.example/x.jpg"),
        ({"images": ["/x.png", "/y.png"]}, "/x.png"),
        ({"image": {"url": "http://a.example:8080/x"}}, "http://a.example:8080/x"),
        ({"image": "javascript:alert(1)"}, ""),
        ({"image": "//a.example/x"}, ""),
        ({"image": "https://a.example; script-src *"}, ""),
        ({"image": 7}, ""),
        ({}, ""),
    ],
)
def test_only_pictures_that_a_page_may_show(attributes: dict[str, object], image: str) -> None:
    assert image_of(attributes) == image


def test_a_key_stays_until_the_browser_has_shown_an_order_of_that_product() -> None:
    browser, placed = Browser("b" * 32), Placed(ORDER, digest_of("lamp"), "1-7", seen=True)
    first = key_of(browser, 1, "lamp", [])
    assert first == key_of(browser, 1, "lamp", [])
    others = [key_of(browser, 2, "lamp", []), key_of(browser, 1, "mug", []), key_of(Browser("c" * 32), 1, "lamp", [])]
    assert first not in others
    assert key_of(browser, 1, "lamp", [placed]) != first
    assert key_of(browser, 1, "lamp", [placed._replace(seen=False)]) == first
    assert key_of(browser, 1, "mug", [placed]) == others[1]


def test_what_a_browser_remembers_is_read_back_and_nothing_else() -> None:
    placed = [Placed(ORDER, digest_of("lamp"), "1-7"), Placed(ORDER, digest_of("mug"), "", seen=True)]
    assert read_placed(write_placed(placed)) == placed
    assert read_placed(f"x~{ORDER}_zz_1-7_~{write_placed(placed)}~") == placed
    assert len(read_placed(write_placed(placed * 20))) == 12
    assert read_placed(None) == []


def test_a_short_number_is_four_signs_of_the_ids_end() -> None:
    assert spoken(ORDER) == "MKAX"
    assert spoken(ORDER[:-5] + "00000") == "0000"
    assert spoken(ORDER[:-5] + "fffff") == "ZZZZ"
