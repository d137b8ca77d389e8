"""The waiting room in Chromium: wait, come in, buy, see it confirmed; with a script, without one, by keyboard."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.pages import Shop, Watch, no_grave_fault

pytestmark = pytest.mark.browser


def buy(page: Page) -> None:
    """Buy the lamp, and see it confirmed."""
    page.get_by_role("button", name="Buy Desk lamp").click()
    confirmed = re.compile(r"Your order [0-9A-Z]{4} is confirmed")
    expect(page.get_by_role("heading", level=1)).to_have_text(confirmed, timeout=30_000)
    expect(page.locator('[data-step="confirmed"].done')).to_be_visible(timeout=30_000)


def test_a_person_waits_comes_in_and_buys(shop: Shop, visit: Open) -> None:
    sale = shop.sale(rate_per_s=0.001, grace_s=3)
    shop.crowd(sale, 10)
    page = visit().new_page()
    watch = Watch(page, shop.running.base)
    page.goto(f"/shop/{sale}")
    no_grave_fault(page)
    page.get_by_role("link", name="To the waiting room").click()
    no_grave_fault(page)
    page.get_by_role("button", name="Join the queue").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are in the queue")
    first = page.locator("#position").inner_text()
    no_grave_fault(page)
    shop.change(
        sale, room={"rate_per_s": 1, "burst": 1}
    )  # not before: who is slow to look must not be let in meanwhile
    expect(page.locator("#moved")).to_contain_text("You moved up")
    expect(page.locator("#position")).not_to_have_text(first)
    page.wait_for_url(f"**/shop/{sale}", timeout=90_000)
    no_grave_fault(page)
    buy(page)
    no_grave_fault(page)
    assert watch.is_clean()


def test_the_same_without_a_script(shop: Shop, visit: Open) -> None:
    sale = shop.sale(rate_per_s=0.001, grace_s=120)  # without a script the page looks every half a minute
    shop.crowd(sale, 4)
    page = visit(java_script_enabled=False).new_page()
    page.goto(f"/sales/{sale}/wait")
    page.get_by_role("button", name="Join the queue").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are in the queue")
    shop.change(sale, room={"rate_per_s": 10, "burst": 1})
    page.wait_for_url(f"**/shop/{sale}", timeout=90_000)
    buy(page)


def test_by_keyboard_alone(shop: Shop, visit: Open) -> None:
    sale = shop.sale(rate_per_s=0.001)
    page = visit(reduced_motion="reduce").new_page()
    page.goto(f"/sales/{sale}/wait")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Join the queue")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("You are in the queue")
    page.locator("summary", has_text="Leave the queue").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Join the queue")


def test_a_place_outlives_its_tab_and_moves_by_its_link(shop: Shop, visit: Open) -> None:
    sale = shop.sale(rate_per_s=0.001)
    shop.crowd(sale, 3)
    phone = visit()
    page = phone.new_page()
    page.goto(f"/sales/{sale}/wait")
    page.get_by_role("button", name="Join the queue").click()
    number = page.locator(".facts dd").first.inner_text()
    link = page.locator("#link").input_value()
    page.close()
    again = phone.new_page()
    again.goto(f"/sales/{sale}/wait")
    expect(again.locator(".facts dd").first).to_have_text(number)
    laptop = visit().new_page()
    asked: list[str] = []
    laptop.on("request", lambda sent: asked.append(sent.url))
    laptop.goto(link)
    expect(laptop.locator(".facts dd").first).to_have_text(number)
    assert laptop.url.endswith(f"/sales/{sale}/wait")
    secret = link.rpartition("~")[2]
    assert not any(secret in url.partition("#")[0] for url in asked)
    log = shop.running.data / "logs" / "intake.log"
    assert secret not in log.read_text()


def test_the_puzzle_is_solved(shop: Shop, visit: Open) -> None:
    sale = shop.sale(challenge="proof_of_work", rate_per_s=0.001)
    shop.running.ops.patch(f"/ops/sales/{sale}", json={"room": {"max_active": 1}}).raise_for_status()
    page = visit().new_page()
    page.goto(f"/sales/{sale}/wait")
    page.get_by_role("button", name="Join the queue").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are in the queue")


def test_a_waiting_page_says_by_itself_that_the_sale_is_over(shop: Shop, visit: Open) -> None:
    sale = shop.sale(rate_per_s=0.001, grace_s=3)
    shop.crowd(sale, 1)
    page = visit().new_page()
    page.goto(f"/sales/{sale}/wait")
    page.get_by_role("button", name="Join the queue").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are in the queue")
    shop.running.ops.post(f"/ops/sales/{sale}/close").raise_for_status()
    expect(page.get_by_role("heading", level=1)).to_have_text("The sale is over", timeout=20_000)
    expect(page.locator("#headline")).to_be_focused()
    no_grave_fault(page)


@pytest.mark.parametrize(
    ("locale", "scheme"), [("en-GB", "light"), ("de-DE", "dark"), ("es-ES", "light"), ("ja-JP", "dark")]
)
def test_every_language_in_light_and_dark(shop: Shop, visit: Open, locale: str, scheme: str) -> None:
    sale = shop.sale(rate_per_s=0.001, message="Free shipping today", lobby_opens_at="2026-01-01T00:00:00Z")
    shop.crowd(sale, 2)
    page = visit(locale=locale, color_scheme=scheme, viewport={"width": 320, "height": 700}).new_page()
    page.goto(f"/sales/{sale}/wait")
    assert page.evaluate("document.documentElement.lang") == locale[:2]
    page.locator("#join button").click()
    expect(page.locator("#position")).to_be_visible()
    for one in page.locator("summary").all():
        one.click()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it must not scroll sideways"
    assert not re.search(r"\{\w+\}|<built-in|None|undefined|NaN", page.locator("main").inner_text())
    no_grave_fault(page)
