"""Losses of the order store on the page of ops in Chromium: read, acknowledged with a reason, and fit for anybody."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import pytest
from playwright.sync_api import Page, expect

from db.connections import pool
from db.work import store_losses, witnesses
from db.work.store_losses import Gap, LostOrder
from db.work.witnesses import Word
from tests.browser.conftest import Open
from tests.browser.ops.desk import PHONE, is_as_wide_as_its_window, key_of, ops_page, sign_in
from tests.browser.pages import Shop, Watch, no_grave_fault

pytestmark = pytest.mark.browser
SHOTS = os.environ.get("SCREENSHOTS")
NONE = "None: the order store has lost nothing that is not dealt with."


class Known(NamedTuple):
    """A loss that was written down, as a drain and an intake would."""

    sale: str
    loss_id: int
    order_id: str
    silent: str


async def _written(url: str, sale_number: int) -> tuple[str, str]:
    connection = await pool.connect(url, command_timeout_s=30)
    try:
        silent, order_id = uuid4(), UUID(int=uuid4().int >> 1)
        cursor = f"{int(time.time() * 1000)}-0"
        await witnesses.note(connection, silent, Word("fsync", [], {}))
        await store_losses.note(connection, (sale_number, 0), Gap(cursor, "0-0", "0-0", 3, 1))
        await store_losses.note_lost(connection, [LostOrder(order_id, (sale_number, 0), cursor)])
        return str(order_id), str(silent)
    finally:
        await connection.close()


async def _forgotten(url: str, silent: str) -> None:
    connection = await pool.connect(url, command_timeout_s=30)
    try:
        await connection.execute("truncate store_losses, lost_orders, loss_witnesses")
        await connection.execute("delete from intake_witnesses where witness_id = $1", UUID(silent))
    finally:
        await connection.close()


@pytest.fixture
def loss(shop: Shop) -> Iterator[Known]:
    """A loss with an order that is gone, and an intake that died and says nothing."""
    sale = shop.sale()
    sale_number = shop.running.ops.get(f"/ops/sales/{sale}").json()["sale_number"]
    url = shop.running.ready["urls"]["database"]
    with ThreadPoolExecutor(1) as thread:  # the browser's loop runs in this one
        order_id, silent = thread.submit(asyncio.run, _written(url, sale_number)).result()
        [found] = listed(shop)
        yield Known(sale, found["loss_id"], order_id, silent)
        thread.submit(asyncio.run, _forgotten(url, silent)).result()


def listed(shop: Shop, state: str = "open") -> list[dict[str, Any]]:
    """Return the losses as the API has them."""
    found: list[dict[str, Any]] = shop.running.ops.get(f"/ops/losses?state={state}").raise_for_status().json()["items"]
    return found


def picture(page: Page, name: str) -> None:
    """Take a picture, if anybody wants one."""
    if SHOTS:
        page.screenshot(path=Path(SHOTS, f"{name}.png"), full_page=True)


def test_without_a_loss_the_list_says_so(shop: Shop, visit: Open) -> None:
    page = ops_page(visit(), shop, "#/losses")
    expect(page.get_by_text(NONE)).to_be_visible()
    expect(page.get_by_role("link", name="Losses", exact=True)).to_have_attribute("aria-current", "page")
    no_grave_fault(page)
    picture(page, "losses-none")
    page.goto("/ops/#/losses/999")
    expect(page.get_by_role("alert")).to_contain_text("There is no loss")


def test_a_loss_is_read_and_acknowledged_by_keyboard(shop: Shop, visit: Open, loss: Known) -> None:
    page = ops_page(visit(), shop, "#/losses")
    watch = Watch(page, shop.running.base)
    line = page.locator("tbody tr")
    expect(line).to_have_count(1)
    expect(line).to_contain_text(re.compile(f"Loss {loss.loss_id}open{loss.sale}0.*1cannot be ruled out.*nobody yet"))
    line.get_by_role("link").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Loss {loss.loss_id}")
    expect(page.get_by_text(loss.order_id)).to_be_visible()
    silent = page.get_by_role("group", name="Intakes that were asked").locator("tr", has_text=loss.silent)
    expect(silent).to_contain_text("has not said so")
    expect(page.locator(".facts div", has_text="The store's history goes to")).to_contain_text("0-0")
    page.get_by_role("button", name="Acknowledge").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("1 order is lost, and more cannot be ruled out.")
    expect(page.get_by_label("Reason")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Say why.")).to_be_visible()
    expect(page.get_by_label("Reason")).to_be_focused()
    no_grave_fault(page)
    picture(page, "loss-acknowledge")
    page.keyboard.type("told the <b>shopper</b>")
    page.keyboard.press("Enter")
    expect(page.locator(".facts div", has_text="by OPS_KEY")).to_contain_text("told the <b>shopper</b>")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    expect(page.get_by_role("button", name="Acknowledge")).to_have_count(0)
    expect(page.locator("#told")).to_have_text("It is acknowledged.")
    no_grave_fault(page)
    picture(page, "loss-acknowledged")
    assert [one["acknowledge_reason"] for one in listed(shop, "acknowledged")] == ["told the <b>shopper</b>"]
    page.get_by_role("link", name="All losses").click()
    expect(page.get_by_text(NONE)).to_be_visible()
    page.get_by_label("State").select_option("acknowledged")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("tbody tr")).to_contain_text("OPS_KEY")
    picture(page, "losses-acknowledged")
    page.goto(f"/ops/#/log?target=loss:{loss.loss_id}")
    page.locator("tbody").get_by_role("link", name=f"loss:{loss.loss_id}").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Loss {loss.loss_id}")
    assert watch.is_clean()


def test_what_somebody_else_acknowledged_meanwhile_is_told(shop: Shop, visit: Open, loss: Known) -> None:
    page = ops_page(visit(), shop, f"#/losses/{loss.loss_id}")
    page.get_by_role("button", name="Acknowledge").click()
    page.get_by_label("Reason").fill("told the shopper")
    body = {"reason": "told before"}
    shop.running.ops.post(f"/ops/losses/{loss.loss_id}/acknowledge", json=body).raise_for_status()
    page.get_by_role("dialog").get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_role("alert")).to_contain_text("is acknowledged already")


@pytest.mark.parametrize("role", ["view", "operate"])
def test_who_is_no_admin_sees_it_and_cannot_acknowledge(shop: Shop, visit: Open, loss: Known, role: str) -> None:
    context = visit()
    page = sign_in(context, shop, key_of(shop, role)["key"], f"#/losses/{loss.loss_id}")
    expect(page.get_by_text(loss.order_id)).to_be_visible()
    expect(page.get_by_text("Acknowledging a loss takes an admin's key.")).to_be_visible()
    expect(page.locator("main button")).to_have_count(0)
    no_grave_fault(page)
    picture(page, f"loss-{role}")
    answer: int = page.evaluate(
        """async (path) => (await fetch(path, {method: "POST", body: '{"reason": "x"}', headers: {
             "Content-Type": "application/json",
             "X-CSRF-Token": (await (await fetch("/ops/session")).json()).csrf}})).status""",
        f"/ops/losses/{loss.loss_id}/acknowledge",
    )
    assert answer == 403
    assert len(listed(shop)) == 1


@pytest.mark.parametrize("how", [{"color_scheme": "light"}, {"color_scheme": "dark"} | PHONE], ids=["desk", "phone"])
def test_the_views_of_losses_are_for_everybody(shop: Shop, visit: Open, loss: Known, how: dict[str, Any]) -> None:
    name = "phone" if "viewport" in how else "desk"
    page = ops_page(visit(**how), shop)
    for place in ("#/losses", f"#/losses/{loss.loss_id}"):
        page.goto(f"/ops/{place}")
        expect(page.get_by_role("heading", level=1)).to_contain_text("Loss")
        expect(page.get_by_text(loss.sale).first).to_be_visible()
        no_grave_fault(page)
        assert is_as_wide_as_its_window(page), place
        picture(page, f"{name}-{'loss' if place[-1].isdigit() else 'losses'}")
    page.get_by_role("button", name="Acknowledge").click()
    no_grave_fault(page)
    assert is_as_wide_as_its_window(page)
    picture(page, f"{name}-loss-acknowledge")
