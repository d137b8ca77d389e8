"""The report as a page: whole without a script or another host, and safe whatever names are in it."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from msgspec.structs import replace

from doorbuster.contract.night.report import Act, Advice, Incident, SoldOutSpell
from intake.ops.report.charts import ChartLine, chart, nice
from intake.ops.report.page import ReportPage, Words, filled
from tests.fixtures.reports import START, minute, product, reported

PAGE = ReportPage()


class Tables(HTMLParser):
    """Of each table: how many columns it has, and what class it lies in."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[tuple[int, str | None]] = []
        self._around: list[str | None] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "div":
            self._around.append(dict(attrs).get("class"))
        elif tag == "table":
            self.seen.append((0, self._around[-1] if self._around else None))
        elif tag == "th" and ("scope", "col") in attrs:
            columns, around = self.seen.pop()
            self.seen.append((columns + 1, around))

    def handle_endtag(self, tag: str) -> None:
        if tag == "div":
            self._around.pop()


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


@pytest.mark.parametrize("standalone", [False, True])
def test_nothing_is_inline_but_the_style_that_the_policy_names(standalone: bool) -> None:
    text, headers = PAGE.write(reported(), standalone=standalone)
    tags = Tags(text).seen
    names = [tag for tag, _ in tags]
    assert "script" not in names
    assert not any(name.startswith("on") or name == "style" for _, attributes in tags for name in attributes)
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    if not standalone:
        assert "style" not in names
        (link,) = [attributes for tag, attributes in tags if tag == "link"]
        assert (link["href"] or "").startswith("/ops/static/report/")
        return
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert f"'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'" in policy
    assert not any("href" in attributes or "src" in attributes for _, attributes in tags)
    assert "url(" not in style
    assert "@import" not in style


def test_names_are_shown_and_never_taken_for_markup() -> None:
    evil = '<script>alert("x")</script>'
    report = reported(
        products=[replace(product(), name=evil)],
        acts=[Act(at=START, action="set", target=evil, by=evil, change={})],
        incidents=[Incident(kind="restart", at=START, until=None, what=evil)],
        advice=[Advice(rule="x", text=evil, evidence={})],
    )
    text, _ = PAGE.write(report, standalone=True)
    assert "<script" not in text
    assert text.count("&lt;script&gt;") == 5
    assert "The &lt;spring&gt; drop" in text


def test_what_is_wider_than_a_phone_is_moved_by_itself() -> None:
    report = reported(incidents=[Incident(kind="alert", at=START, until=START, what="PromiseBroken (page): late")])
    tables = Tables(PAGE.write(report, standalone=False)[0]).seen
    assert (4, "wide") in tables
    assert {around for columns, around in tables if columns > 3} == {"wide"}


def test_what_is_broken_or_under_way_is_said_first() -> None:
    report = reported(
        settled=False, unsettled=["3 orders that wait for their payment"], preview=True,
        promises=[replace(one, verdict="broken", breaches=2) for one in reported().promises[:1]],
        money=replace(reported().money, balances=False, differing=2),
    )  # fmt: skip
    head = PAGE.write(report, standalone=False)[0].partition("</header>")[0]
    assert "A preview" in head
    assert "3 orders that wait" in head
    assert "Broken: P1" in head


def test_a_sale_of_which_nothing_is_known_has_a_page_too() -> None:
    report = reported()
    nothing = reported(
        minutes=[], products=[], incidents=[], acts=[],
        sale=replace(report.sale, over_at=None, currency=None, name=None),
        totals=replace(report.totals, offered=None, refused=None, accepted=0, states={}),
        room=replace(report.room, mode="off", rate_per_s=None, admitted=None),
    )  # fmt: skip
    text, _ = PAGE.write(nothing, standalone=False)
    assert "Nothing happened" in text
    assert "There was none" in text


def test_a_product_tells_when_it_was_gone() -> None:
    spell = SoldOutSpell(since=START, until=None, after_s=0.0)
    gone = replace(product(), sold_out_at=START, sold_out_after_s=3.25, reopened=2, spells=[spell])
    text, _ = PAGE.write(reported(products=[gone]), standalone=False)
    assert "10:00:00, after 3.2 s; units came back 2 times" in text


def test_minutes_in_which_nothing_happened_are_on_the_chart() -> None:
    rows = filled(reported())
    assert [(row.offered, row.accepted) for row in rows] == [(70, 60), (0, 0), (0, 0), (50, 40)]
    late = reported(minutes=[minute(0, accepted=1), minute(10_000, confirmed=1)])
    assert len(filled(late)) == 60 + 60 + 1, "what is confirmed a week later is no chart"
    assert filled(reported(minutes=[])) == []


def test_a_chart_is_one_picture_with_a_title() -> None:
    moments = [minute(number).at for number in range(3)]
    drawn = chart("Orders & more", moments, [ChartLine("a<b", "a", [1, None, 7]), ChartLine("c", "b", [None, None, 2])])
    picture = ElementTree.fromstring(drawn)
    assert picture.get("aria-label") == "Orders & more: a<b at most 7, c at most 2"
    assert [one.tag for one in picture].count("path") == 2
    assert [one.tag for one in picture].count("circle") == 1, "a line of one point is a dot"
    assert chart("x", [], []) == ""
    assert [nice(value) for value in (0, 0.3, 1, 3, 7, 99, 101, 5_000)] == [1, 0.5, 1, 5, 10, 100, 200, 5_000]


def test_amounts_have_their_currencys_decimals() -> None:
    assert Words("EUR").money(123_456) == "€1,234.56"
    assert Words("JPY").money(1500) == "¥1,500"
    assert Words("KWD").money(1500).endswith("1.500")
    assert Words(None).money(1500) == "1,500"
