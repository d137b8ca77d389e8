"""The shop of `examples/browser`, served from another origin, in Chromium: buy, buy once, wait, and be kept out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.browser.conftest import Open
from tests.browser.pages import Shop, no_grave_fault

pytestmark = pytest.mark.browser


def address(shop: Shop, origin: str, sale: str) -> str:
    return f"{origin}/index.html?api={shop.running.base}&sale={sale}&product=lamp"


def enter(context: BrowserContext, shop: Shop, origin: str, sale: str) -> Page:
    page = context.new_page()
    page.goto(address(shop, origin, sale))
    expect(page.get_by_role("heading", level=1)).to_have_text("Desk lamp")
    return page


def orders(shop: Shop, sale: str) -> list[dict[str, Any]]:
    answer = shop.running.ops.get("/ops/orders", params={"sale": sale})
    answer.raise_for_status()
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def test_it_buys_from_another_origin(shop: Shop, visit: Open, other_origin: str) -> None:
    sale = shop.sale(mode="off")
    page = enter(visit(), shop, other_origin, sale)
    expect(page.locator("#price")).to_have_text("€49.00")
    no_grave_fault(page)
    page.get_by_role("button", name="Buy").click()
    expect(page.get_by_role("status")).to_have_text("It is yours. Thank you!")
    assert len(orders(shop, sale)) == 1
    page.reload()
    expect(page.get_by_role("status")).to_have_text("It is yours. Thank you!")


def test_a_lost_answer_and_a_reload_are_the_same_attempt(shop: Shop, visit: Open, other_origin: str) -> None:
    sale = shop.sale(mode="off")
    page = enter(visit(), shop, other_origin, sale)
    keys: list[str] = []

    def lose(route: Route) -> None:
        if route.request.method == "POST":
            keys.append(route.request.headers["idempotency-key"])
            route.fetch()  # the order is accepted, its answer never comes
        route.abort()

    page.route(f"**/sales/{sale}/orders", lose)
    page.get_by_role("button", name="Buy").click()
    expect(page.get_by_role("status")).to_contain_text("We keep trying")
    page.unroute_all(behavior="ignoreErrors")
    kept = page.evaluate("Object.values(localStorage)[0]")
    assert json.loads(kept)["attempt"]["key"] == keys[0]
    page.reload()
    expect(page.get_by_role("status")).to_have_text("It is yours. Thank you!")
    assert len(set(keys)) == 1
    assert len(orders(shop, sale)) == 1


def test_it_waits_in_the_room(shop: Shop, visit: Open, other_origin: str) -> None:
    sale = shop.sale(rate_per_s=0.001, grace_s=3)
    shop.crowd(sale, 3)
    page = enter(visit(), shop, other_origin, sale)
    page.get_by_role("button", name="Buy").click()
    expect(page.get_by_role("status")).to_contain_text("in the queue")
    shop.change(sale, room={"rate_per_s": 1})  # not before: who was let in at once would not be seen to wait
    expect(page.get_by_role("status")).to_have_text("It is yours. Thank you!", timeout=60_000)
    assert len(orders(shop, sale)) == 1


def test_a_reload_keeps_the_place(shop: Shop, visit: Open, other_origin: str) -> None:
    sale = shop.sale(rate_per_s=0.001)
    shop.crowd(sale, 3)
    page = enter(visit(), shop, other_origin, sale)
    page.get_by_role("button", name="Buy").click()
    expect(page.get_by_role("status")).to_contain_text("You are number")
    kept = json.loads(page.evaluate("Object.values(localStorage)[0]"))["place"]
    page.reload()
    expect(page.get_by_role("status")).to_contain_text("You are number")
    assert json.loads(page.evaluate("Object.values(localStorage)[0]"))["place"] == kept


def test_what_is_refused_is_said(shop: Shop, visit: Open, other_origin: str) -> None:
    sale = shop.sale(mode="off")
    shop.running.ops.post(f"/ops/sales/{sale}/hold").raise_for_status()
    page = enter(visit(), shop, other_origin, sale)
    page.get_by_role("button", name="Buy").click()
    expect(page.get_by_role("status")).to_have_text("The sale takes no orders now.")


def test_a_browser_keeps_out_an_origin_that_is_not_named(shop: Shop, visit: Open, other_origin: str) -> None:
    """The negative control: the same page under another name of this machine is another origin."""
    page = visit().new_page()
    stranger = other_origin.replace("127.0.0.1", "localhost")
    page.goto(address(shop, stranger, shop.sale(mode="off")))
    expect(page.get_by_role("status")).to_contain_text("We keep trying")
    expect(page.get_by_role("button", name="Buy")).to_be_disabled()
    assert (
        page.evaluate(f"fetch('{shop.running.base}/products/lamp').then(() => 'read', () => 'kept out')") == "kept out"
    )


@pytest.mark.parametrize(("host", "is_shown"), [("127.0.0.1", True), ("localhost", False)])
def test_only_a_named_origin_may_have_the_room_in_a_frame(
    shop: Shop, visit: Open, other_origin: str, host: str, is_shown: bool
) -> None:
    sale = shop.sale(rate_per_s=0.001)
    page = visit().new_page()
    page.goto(address(shop, other_origin.replace("127.0.0.1", host), sale))
    make = "src => { const f = document.createElement('iframe'); f.src = src; document.body.append(f) }"
    with page.expect_event("framenavigated", lambda frame: frame.parent_frame is not None):
        page.evaluate(make, f"{shop.running.base}/sales/{sale}/wait")
    within = page.frame_locator("iframe")
    expect(within.get_by_role("button", name="Join the queue")).to_be_visible(visible=is_shown)
