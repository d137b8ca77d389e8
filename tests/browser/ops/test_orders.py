"""Orders, dead letters, webhooks and the change log on the page of ops in Chromium: found, followed, acted on."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.ops.desk import PHONE, is_as_wide_as_its_window, key_of, ops_page, sign_in
from tests.browser.pages import Shop, Watch, no_grave_fault
from tests.fixtures.waiting import wait_until

pytestmark = pytest.mark.browser
SHOTS = os.environ.get("SCREENSHOTS")
"""A folder that pictures of the views are put into, for whoever wants to look at them."""


def sold(shop: Shop, customer: str, quantity: int = 3) -> str:
    """Sell lamps to somebody; return the order's id once it is confirmed."""
    sale = shop.sale()
    shop.change(sale, room={"mode": "off"})
    body = {"customer_id": customer, "lines": [{"product_id": "lamp", "quantity": quantity}]}
    headers = {"Idempotency-Key": customer}
    answer = shop.running.http.post(f"/sales/{sale}/orders", json=body, headers=headers).raise_for_status()
    order_id = str(answer.json()["order_id"])

    def is_confirmed() -> bool:
        return bool(shop.running.ops.get(f"/ops/orders/{order_id}").json()["status"] == "confirmed")

    wait_until(is_confirmed, within_s=20)
    return order_id


def picture(page: Page, name: str) -> None:
    """Take a picture, if anybody wants one."""
    if SHOTS:
        page.screenshot(path=Path(SHOTS, f"{name}.png"), full_page=True)


def test_an_order_is_found_sent_in_part_and_paid_back(shop: Shop, visit: Open) -> None:
    order_id = sold(shop, "ada-of-the-page")
    page = ops_page(visit(), shop, "#/orders")
    watch = Watch(page, shop.running.base)
    page.get_by_label("Customer").fill("ada-of-the-page")
    page.get_by_role("button", name="Search").click()
    expect(page).to_have_url(re.compile("customer=ada-of-the-page"))
    expect(page.locator("tbody tr")).to_have_count(1)
    picture(page, "orders")
    page.get_by_role("link", name=order_id).click()
    expect(page.locator(".order-state").first).to_have_text("Confirmed")
    page.get_by_role("button", name="Send a parcel").click()
    page.get_by_label(re.compile("Units of line 1")).fill("4")
    page.get_by_role("button", name="It is sent").click()
    expect(page.get_by_text("From 0 to 3.")).to_be_visible()
    page.get_by_label(re.compile("Units of line 1")).fill("2")
    page.get_by_label("Carrier").fill("DHL")
    no_grave_fault(page)
    picture(page, "ship")
    page.get_by_role("button", name="It is sent").click()
    expect(page.get_by_role("group", name="Parcels").locator("tbody tr")).to_contain_text(re.compile("^.*2 . line 1"))
    page.get_by_role("button", name="Give money back").click()
    page.get_by_label(re.compile("^Amount")).fill("9.999")
    page.get_by_label("Reason").fill("came broken")
    page.get_by_role("button", name="Give it back").click()
    expect(page.get_by_text("That is no amount.")).to_be_visible()
    page.get_by_label(re.compile("^Amount")).fill("")
    page.get_by_label(re.compile("Units of line 1")).fill("1")
    picture(page, "refund")
    page.get_by_role("button", name="Give it back").click()
    expect(page.get_by_role("group", name="Money given back").locator("tbody tr")).to_contain_text("came broken")
    page.get_by_role("button", name="Delivered").click()
    page.get_by_role("dialog").get_by_role("button", name="Delivered").click()
    expect(page.get_by_role("group", name="Parcels").locator("tbody tr")).to_contain_text("delivered")
    picture(page, "order")
    order: dict[str, Any] = shop.running.ops.get(f"/ops/orders/{order_id}").json()
    assert (order["shipments"][0]["carrier"], order["refunds"][0]["lines"]) == (
        "DHL", [{"line": 1, "quantity": 1, "restock": False}],
    )  # fmt: skip
    assert watch.is_clean()


def test_an_order_is_cancelled_and_the_log_says_why(shop: Shop, visit: Open) -> None:
    order_id = sold(shop, "bob-of-the-page", quantity=1)
    page = ops_page(visit(), shop, f"#/orders/{order_id}")
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("button", name="Cancel it").click()
    expect(page.get_by_text("Say why.")).to_be_visible()
    page.get_by_label("Reason").fill("asked for by telephone")
    page.get_by_role("button", name="Cancel it").click()
    expect(page.locator(".order-state").first).to_have_text("Cancelled")
    page.get_by_role("link", name="Change log").last.click()
    expect(page.locator("tbody tr").first).to_contain_text("asked for by telephone")
    expect(page.get_by_label("Of", exact=True)).to_have_value(f"order:{order_id}")
    picture(page, "log")


def test_another_system_is_told_tried_and_removed(shop: Shop, visit: Open) -> None:
    page = ops_page(visit(), shop, "#/webhooks")
    page.get_by_role("button", name="Tell another system").click()
    page.get_by_label("Address").fill("http://127.0.0.1:9/hook")
    page.get_by_role("dialog").get_by_role("button", name="Tell another system").click()
    expect(page.locator("dialog .problem").first).to_be_visible()
    page.get_by_label("Address").fill("https://erp.example.com/hook")
    page.get_by_label("order.confirmed").check()
    no_grave_fault(page)
    picture(page, "webhook-make")
    page.get_by_role("dialog").get_by_role("button", name="Tell another system").click()
    expect(page.locator("dialog code", has_text="whsec_")).to_have_text(re.compile("^whsec_"))
    page.get_by_role("button", name="Understood").click()
    line = page.locator("tbody tr", has_text="erp.example.com")
    expect(line).to_contain_text("order.confirmed")
    picture(page, "webhooks")
    line.get_by_role("button", name=re.compile("^New secret")).click()
    page.get_by_role("dialog").get_by_role("button", name="New secret").click()
    expect(page.locator("dialog code", has_text="whsec_")).to_have_text(re.compile("^whsec_"))
    page.get_by_role("button", name="Understood").click()
    line.get_by_role("link").click()
    expect(page.get_by_text("Nothing was sent to it yet.")).to_be_visible()
    page.go_back()
    line.get_by_role("button", name=re.compile("^Remove")).click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(line).to_have_count(0)


def test_who_may_look_sees_no_buttons(shop: Shop, visit: Open) -> None:
    order_id = sold(shop, "cyd-of-the-page", quantity=1)
    page = sign_in(visit(), shop, key_of(shop, "view")["key"], f"#/orders/{order_id}")
    expect(page.get_by_role("heading", name="History")).to_be_visible()
    expect(page.locator("main button")).to_have_count(0)


@pytest.mark.parametrize("how", [{"color_scheme": "light"}, {"color_scheme": "dark"} | PHONE], ids=["desk", "phone"])
def test_the_views_of_orders_are_for_everybody(shop: Shop, visit: Open, how: dict[str, Any]) -> None:
    order_id = sold(shop, f"dan-{'phone' if 'viewport' in how else 'desk'}", quantity=1)
    page = ops_page(visit(**how), shop, "#/orders")
    for place in ("#/orders", f"#/orders/{order_id}", "#/dead-letters", "#/webhooks", "#/log", "#/orders/nothing"):
        page.goto(f"/ops/{place}")
        page.reload()
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.wait_for_load_state("networkidle")
        no_grave_fault(page)
        assert is_as_wide_as_its_window(page), place
        picture(page, f"{'phone' if 'viewport' in how else 'desk'}-{re.sub('[^a-z]', '', place)[:12]}")
