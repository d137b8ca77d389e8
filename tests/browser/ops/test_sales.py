"""Sales on the page of ops in Chromium: made, changed, and every view fit for anybody, on a phone and in the dark."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.ops.desk import PHONE, is_as_wide_as_its_window, log_of, ops_page
from tests.browser.pages import Shop, Watch, no_grave_fault

pytestmark = pytest.mark.browser
BREAKS_OFF = """
const asked = window.fetch;
const breaks = () => new ReadableStream({ start: (one) => one.error(new DOMException("late", "TimeoutError")) });
window.fetch = async (path, init) => path.startsWith("/ops/losses/")
  ? new Response(breaks(), { headers: { "Content-Type": "application/json" } }) : asked(path, init);
"""
"""Of an answer only the head comes in time."""
TOKYO = {"timezone_id": "Asia/Tokyo"}


def test_a_sale_is_made_and_changed(shop: Shop, visit: Open) -> None:
    page = ops_page(visit(**TOKYO), shop, "#/sales/new")
    name = page.get_by_label("Name", exact=True)
    name.fill("Größte Nacht")
    expect(page.get_by_label("Id", exact=True)).to_have_value("grosste-nacht")
    page.get_by_role("button", name="Make a sale").click()
    expect(page.get_by_text("A sale has at least one product.")).to_be_visible()
    page.get_by_label("Find a product").fill("desk")
    page.get_by_role("button", name=re.compile("Desk lamp")).click()
    page.get_by_label("Price in the sale, EUR").fill("12.345")
    page.get_by_label("Starts", exact=True).fill("2030-03-01T09:00")
    expect(page.locator(".field", has=page.get_by_label("Starts", exact=True))).to_contain_text(
        "Asia/Tokyo, GMT+9; 2030-03-01 00:00 UTC"
    )
    page.get_by_label("Ends", exact=True).fill("2030-02-01T09:00")
    page.get_by_label("Waiting room", exact=True).select_option("always")
    page.get_by_label("Lets in, people a second").fill("25")
    page.get_by_role("button", name="Add a moment").click()
    page.get_by_label("When", exact=True).fill("2030-03-01T10:00")
    page.get_by_label("The sale becomes").select_option("hold")
    page.get_by_role("button", name="Make a sale").click()
    expect(page.get_by_label("Price in the sale, EUR")).to_be_focused()
    page.get_by_label("Price in the sale, EUR").fill("12.34")
    page.get_by_role("button", name="Make a sale").click()
    expect(page.get_by_label("When", exact=True)).to_be_focused()  # which the server complains of
    expect(page.locator(".field", has=page.get_by_label("When", exact=True))).to_contain_text("nothing changes after")
    no_grave_fault(page)
    page.get_by_label("Ends", exact=True).fill("2030-03-01T12:00")
    page.get_by_role("button", name="Make a sale").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Größte Nacht")
    made: dict[str, Any] = shop.running.ops.get("/ops/sales/grosste-nacht").json()
    assert (made["products"][0]["price"], made["starts_at"]) == (1234, "2030-03-01T00:00:00Z")
    assert (made["room"]["rate_per_s"], made["timeline"][0]["phase"]) == (25, "hold")
    page.get_by_role("button", name="Change").click()
    page.get_by_label("Name", exact=True).fill("Greatest night")
    page.get_by_label("Inside at once").fill("400")
    page.get_by_role("button", name="Save what is changed").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Greatest night")
    change = log_of(shop, "grosste-nacht")[0]["change"]
    assert (change["name"], change["room"]) == ("Greatest night", {"max_active": 400})
    assert change.keys() <= {"name", "room", "before"}  # nothing else was sent


def test_a_server_that_ends_no_answer_is_said_not_to_answer(shop: Shop, visit: Open) -> None:
    context = visit()
    context.add_init_script(BREAKS_OFF)
    page = ops_page(context, shop, "#/losses/1")
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer.")


def test_every_view_is_for_everybody(shop: Shop, visit: Open) -> None:
    sale = shop.sale()
    shop.change(sale, name="<img src=x onerror=alert(1)>")
    page = ops_page(visit(), shop)
    watch = Watch(page, shop.running.base)
    seen = {
        f"#/live/{sale}": ".tile .value", f"#/floor/{sale}": ".floor-stock li", "#/sales": "tbody tr",
        f"#/sales/{sale}": ".facts", "#/sales/new": "form.form", "#/system": "table", "#/runbook/drainlate": ".prose",
        "#/keys": "h1", "#/nothing": "h1",
    }  # fmt: skip
    desk = {"width": 1280, "height": 800}
    for place, sign in seen.items():
        page.set_viewport_size(desk)  # type: ignore[arg-type]  # the dictionary's type is private
        page.emulate_media(color_scheme="light")
        page.goto(f"/ops/{place}")
        expect(page.locator(f"main {sign}").first).to_be_visible()
        no_grave_fault(page)
        page.set_viewport_size(PHONE["viewport"])
        page.emulate_media(color_scheme="dark")
        no_grave_fault(page)
        assert is_as_wide_as_its_window(page), place
    page.goto(f"/ops/#/sales/{sale}")
    expect(page.get_by_role("heading", level=1)).to_have_text("<img src=x onerror=alert(1)>")
    assert watch.is_clean()
    report = page.get_by_role("link", name="Report").get_attribute("href")
    assert report is not None
    opened = page.request.get(report, headers={"Accept": "text/html"})
    assert (opened.status, opened.headers["content-type"].partition(";")[0]) == (200, "text/html")
