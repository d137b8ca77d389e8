"""Signing in to the page of ops in Chromium: by keyboard, with a second factor, and out of it again."""

from __future__ import annotations

import re
import time

import pyotp
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.ops.desk import PHONE, is_as_wide_as_its_window, key_of, sign_in
from tests.browser.pages import Shop, no_grave_fault
from tests.fixtures.waiting import wait_until

pytestmark = pytest.mark.browser


def test_one_signs_in_by_keyboard_and_out_again(shop: Shop, visit: Open) -> None:
    page = visit(color_scheme="dark", **PHONE).new_page()
    foreign: list[str] = []
    page.on("request", lambda sent: None if sent.url.startswith(shop.running.base) else foreign.append(sent.url))
    page.goto("/ops/")
    expect(page.get_by_label("Ops key")).to_be_focused()
    no_grave_fault(page)
    page.keyboard.press("Enter")
    expect(page.locator("#key-problem")).to_have_text("Paste the ops key.")
    page.keyboard.type("not a key")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("That is no ops key that is good.")
    no_grave_fault(page)
    assert is_as_wide_as_its_window(page)
    page.get_by_label("Ops key").fill(shop.running.ready["ops_key"])
    page.get_by_label("Your name").fill("Ada Lovelace")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    stored = page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie])")
    assert shop.running.ready["ops_key"] not in stored
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Ops key")).to_be_visible()
    assert page.request.get("/ops/status").status == 401
    assert foreign == []


def test_a_second_factor_is_asked_for_and_a_code_is_good_once(shop: Shop, visit: Open) -> None:
    key = key_of(shop, "operate")
    path = f"/ops/keys/{key['key_id']}/totp"
    otp = pyotp.TOTP(shop.running.ops.post(path).raise_for_status().json()["secret"])
    shop.running.ops.post(f"{path}/confirm", json={"code": otp.now()}).raise_for_status()
    page = visit().new_page()
    page.goto("/ops/")
    page.get_by_label("Ops key").fill(key["key"])
    page.keyboard.press("Enter")
    field = page.get_by_label(re.compile("Code of your authenticator"))
    expect(field).to_be_focused()
    no_grave_fault(page)
    field.fill("12")
    page.keyboard.press("Enter")
    expect(page.locator("#totp-problem")).to_contain_text("six digits")
    code = otp.at(int(time.time()) + 30)  # the next one: good for a minute yet, and not used up by the confirmation
    field.fill(f"{code[:3]} {code[3:]}")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Ops key").fill(key["key"])
    page.keyboard.press("Enter")
    field.fill(code)
    page.keyboard.press("Enter")
    expect(page.locator("#totp-problem")).to_contain_text("used already")


def test_who_is_signed_out_by_others_is_told_and_comes_back_to_the_same_place(shop: Shop, visit: Open) -> None:
    key = key_of(shop, "view")
    page = sign_in(visit(), shop, key["key"], "#/system")
    expect(page.get_by_role("heading", name="System")).to_be_visible()
    shop.running.ops.delete(f"/ops/keys/{key['key_id']}").raise_for_status()
    expect(page.locator("#why")).to_contain_text("You are signed out")  # the view asks again by itself
    page.get_by_label("Ops key").fill(shop.running.ready["ops_key"])
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="System")).to_be_visible()


def test_a_key_and_its_second_factor_are_made_on_the_page(shop: Shop, visit: Open) -> None:
    page = sign_in(visit(), shop, shop.running.ready["ops_key"], "#/keys")
    page.get_by_role("button", name="Make a key").click()
    page.get_by_label("Name").fill("from the page")
    page.get_by_label("Role").select_option("operate")
    page.get_by_role("dialog").get_by_role("button", name="Make a key").click()
    key = page.locator("dialog code.secret").inner_text()
    assert key.startswith("dbops_")
    no_grave_fault(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Second factor: from the page").click()
    page.get_by_role("button", name="Make one").click()
    expect(page.locator("svg.qr")).to_be_visible()
    no_grave_fault(page)
    otp = pyotp.TOTP(page.locator("dialog code.secret").inner_text().replace(" ", ""))
    page.get_by_label("Code, 6 digits").fill(otp.now())
    page.get_by_role("button", name="Put it in force").click()
    row = page.locator("tr", has_text="from the page")
    expect(row).to_contain_text("asked for")
    page.get_by_role("button", name="Revoke: from the page").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke it").click()
    expect(row).to_contain_text("revoked")
    bearer = {"Authorization": f"Bearer {key}"}
    wait_until(
        lambda: shop.running.http.get("/ops/sales", headers=bearer).status_code == 401, what="the key to be refused"
    )
