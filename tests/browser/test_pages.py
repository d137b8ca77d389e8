"""What the pages say by themselves in Chromium: phases, countdowns, zones; and that people can use them as they are."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.pages import Shop, Watch, no_grave_fault

pytestmark = pytest.mark.browser
SLOW = 30_000


def headline(page: Page, text: str | re.Pattern[str]) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(text, timeout=SLOW)


def soon(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def join(page: Page, sale: str, button: str = "Join the queue") -> None:
    page.goto(f"/sales/{sale}/wait")
    page.get_by_role("button", name=button).click()


def test_a_pause_is_said_at_once_and_nothing_is_estimated_meanwhile(shop: Shop, visit: Open) -> None:
    sale = shop.sale(rate_per_s=0.5, grace_s=3)
    shop.crowd(sale, 30)
    page = visit().new_page()
    watch = Watch(page, shop.running.base)
    join(page, sale)
    headline(page, "You are in the queue")
    expect(page.locator("#eta")).to_have_text(re.compile(r"^(Up to|About|Less|\d+ to) "))
    shop.running.ops.post(f"/ops/sales/{sale}/hold").raise_for_status()
    headline(page, "The sale is paused")
    expect(page.locator("#eta")).not_to_be_visible()
    expect(page.locator("#hold")).to_be_visible()
    page.reload()
    headline(page, "The sale is paused")
    expect(page.locator("#eta")).not_to_be_visible()
    no_grave_fault(page)
    shop.running.ops.post(f"/ops/sales/{sale}/resume").raise_for_status()
    headline(page, "You are in the queue")
    expect(page.locator("#eta")).to_be_visible()
    assert watch.is_clean()


def place_drawn(page: Page) -> int:
    """Return the place that a visitor drew, 0 for whoever was let in at once and is no longer told."""
    drawn = re.search(r"drew place ([\d,]+)", page.locator("main").inner_text())
    return int(drawn[1].replace(",", "")) if drawn else 0


def test_the_lobby_is_followed_drawn_and_the_draw_stays_in_sight(shop: Shop, visit: Open) -> None:
    sale = shop.sale(rate_per_s=0.001, starts_at=soon(3600), grace_s=6, lobby_opens_at="2026-01-01T00:00:00Z")
    shop.crowd(sale, 60)
    one, other, late = (visit(timezone_id="Asia/Tokyo").new_page() for _ in range(3))
    for page in (one, other):
        join(page, sale, "Register")
        headline(page, "You are registered")
        expect(page.locator("main")).not_to_contain_text("Your number")
        expect(page.locator("main")).not_to_contain_text("waiting")
        expect(page.locator("time[data-show=moment]")).to_contain_text("GMT+9")
    late.goto(f"/sales/{sale}/wait")
    headline(late, "Register before the start")
    shop.change(sale, starts_at=soon(15))  # the page may hear of it late, and counts the last nine seconds all the same
    expect(one.locator(".count")).to_have_text(re.compile(r"^\d secs?$"), timeout=SLOW)
    headline(late, "Join the queue")
    for page in (one, other):  # the first place is let in at once, and one of the two may have drawn it
        headline(page, re.compile("You are in|almost your turn"))
    waits = max(one, other, key=place_drawn)  # so far behind that it is seen to move up before it is let in
    headline(waits, "You are in the queue")
    expect(waits.locator("#drawn")).to_contain_text("drew place")
    drawn = waits.locator("#drawn").inner_text()
    shop.change(sale, room={"rate_per_s": 0.5, "burst": 1})
    expect(waits.locator("#moved")).to_contain_text("You moved up by", timeout=2 * SLOW)
    expect(waits.locator("#drawn")).to_have_text(drawn)


def test_the_admission_counts_down_and_then_says_so(shop: Shop, visit: Open) -> None:
    sale = shop.sale(rate_per_s=10, admission_s=15)
    page = visit().new_page()
    watch = Watch(page, shop.running.base)
    join(page, sale)
    page.wait_for_url(f"**/shop/{sale}", timeout=90_000)
    headline(page, "You are in")
    expect(page).to_have_title(re.compile(r"^\(\d+ secs?\) You are in"))
    no_grave_fault(page)
    headline(page, "Your time to shop ran out")
    expect(page.get_by_role("button", name="Buy Desk lamp")).to_have_count(0)
    expect(page.get_by_role("link", name="Join the queue again")).to_be_visible()
    assert watch.is_clean()


def test_an_order_shows_its_total_and_stays_in_sight(shop: Shop, visit: Open) -> None:
    sale = shop.sale(rate_per_s=10)
    page = visit().new_page()
    join(page, sale)
    page.wait_for_url(f"**/shop/{sale}", timeout=90_000)
    page.get_by_label("Quantity Desk lamp").select_option("2")
    page.get_by_role("button", name="Buy Desk lamp").click()
    headline(page, re.compile(r"Your order [0-9A-Z]{4} is confirmed"))
    expect(page.locator("#total")).to_have_text("€98.00")
    page.get_by_role("link", name="Back to the shop").click()
    headline(page, "Your order is placed")
    no_grave_fault(page)
    page.get_by_role("link", name="Your order").click()
    headline(page, re.compile("is confirmed"))


def test_a_notification_is_the_visitors_own_wish(shop: Shop, visit: Open) -> None:
    sale = shop.sale(rate_per_s=0.001)
    shop.crowd(sale, 2)
    context = visit(permissions=["notifications"])
    page = context.new_page()
    join(page, sale)
    page.get_by_role("button", name="Tell me when it is my turn").click()
    expect(page.locator("#notify")).to_have_text(re.compile("You will get|does not allow"))
    expect(page.locator("#keep")).to_contain_text(re.compile(r"come back before \d\d:\d\d"))
    expect(page.locator("#keep")).to_contain_text("you have 5 minutes")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1200])
def test_every_page_can_be_read_by_everybody(shop: Shop, visit: Open, scheme: str, width: int) -> None:
    sale, closed = shop.sale(mode="off"), shop.sale(mode="off")
    before = shop.sale(mode="always", starts_at="2099-01-01T00:00:00Z")
    shop.running.ops.post(f"/ops/sales/{closed}/close").raise_for_status()
    page = visit(color_scheme=scheme, viewport={"width": width, "height": 700}).new_page()
    watch = Watch(page, shop.running.base)
    for path in (
        f"/shop/{sale}",
        f"/shop/{closed}",
        f"/shop/{before}",
        f"/sales/{before}/wait",
        f"/sales/{sale}/wait",
        "/",
    ):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert page.locator("h1").count() == 1
        no_grave_fault(page)
    assert watch.is_clean()
    page.goto("/nowhere")
    headline(page, "There is nothing here")
    no_grave_fault(page)
