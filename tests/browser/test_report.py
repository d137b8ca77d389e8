"""The report as people see it: readable by everybody, on a phone, in print, and under its own strict policy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.conftest import Open
from tests.browser.pages import Shop, Watch, no_grave_fault

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("where", ["served", "as a file"])
def test_the_report_is_a_page_for_everybody(shop: Shop, visit: Open, tmp_path: Path, where: str) -> None:
    ops = shop.running.ops
    sale = shop.sale()
    shop.crowd(sale, 3)
    ops.post(f"/ops/sales/{sale}/close").raise_for_status()
    report = f"/ops/sales/{sale}/report"
    key = {"Authorization": ops.headers["Authorization"]}
    page = visit(java_script_enabled=True, extra_http_headers=key).new_page()
    base = shop.running.base
    if where == "as a file":
        text = ops.get(report, params={"standalone": "true"}, headers={"Accept": "text/html"}, timeout=60).text
        (tmp_path / "report.html").write_text(text)
        base = "file:"
    watch = Watch(page, base)
    page.goto(f"{shop.running.base}{report}" if where == "served" else (tmp_path / "report.html").as_uri())
    assert page.title() == "Friday sale: report"
    assert page.locator("h1").inner_text() == "Friday sale"
    assert page.locator("h1").evaluate("one => getComputedStyle(one).overflowWrap") == "anywhere", "its style is there"
    no_grave_fault(page)
    for width in (360, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.emulate_media(media="print")
    assert page.locator("main").evaluate("one => getComputedStyle(one).paddingTop") == "0px"
    assert page.pdf(format="A4").startswith(b"%PDF")
    assert watch.is_clean()
