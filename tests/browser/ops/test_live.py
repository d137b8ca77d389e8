"""The live screen in Chromium: what it shows, what it does not pretend to know, and what ops do by it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.ops.desk import Told, key_of, log_of, ops_page, sign_in, tile
from tests.browser.pages import Shop, Watch, no_grave_fault
from tests.fixtures.waiting import wait_until

pytestmark = pytest.mark.browser
COUNT_STREAMS = """
window.streams = [];
const Stream = EventSource;
window.EventSource = class extends Stream { constructor(url) { super(url); streams.push(this); } };
"""
OPEN_STREAMS = "streams.filter((one) => one.readyState !== EventSource.CLOSED).length"


def look_away(page: Page, *, hidden: bool) -> None:
    page.evaluate(
        """(hidden) => {
        Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
    }""",
        hidden,
    )


def later(page: Page, ms: int) -> None:
    """Let the page's own clock be ahead."""
    page.evaluate("(ms) => { const now = performance.now.bind(performance); performance.now = () => now() + ms; }", ms)


def streams_are(page: Page, count: int) -> None:
    wait_until(lambda: page.evaluate(OPEN_STREAMS) == count, what=f"{count} streams to be open")


def press(page: Page, name: str) -> None:
    """Press a button of the dialog."""
    page.get_by_role("dialog").get_by_role("button", name=name).click()


def test_a_sale_is_watched_by_a_stream_that_ends_while_nobody_looks(shop: Shop, visit: Open) -> None:
    sale = shop.sale(rate_per_s=0.5)
    shop.crowd(sale, 4)
    context = visit()
    context.add_init_script(COUNT_STREAMS)
    page = ops_page(context, shop)
    watch = Watch(page, shop.running.base)
    with page.expect_response(lambda one: "event-stream" in one.headers.get("content-type", "")):
        page.goto(f"/ops/#/live/{sale}")
    expect(tile(page, "waiting").locator(".value")).to_have_text(re.compile(r"^\d$"))
    expect(tile(page, "room")).to_contain_text("as you set it")
    expect(page.locator(".stock")).to_contain_text("Desk lamp")
    expect(page.locator(".chart canvas")).to_have_count(3)
    expect(page.locator(".heard")).to_have_text("live")
    streams_are(page, 1)
    look_away(page, hidden=True)
    streams_are(page, 0)
    look_away(page, hidden=False)
    streams_are(page, 1)
    page.goto("/ops/#/sales")
    streams_are(page, 0)
    assert watch.is_clean()


def test_it_is_steered_by_keyboard_alone_and_noted(shop: Shop, visit: Open) -> None:
    sale = shop.sale(rate_per_s=0.5)
    page = ops_page(visit(), shop)
    page.evaluate("sessionStorage.setItem('doorbuster-operator', 'Zoë')")
    page.goto(f"/ops/#/live/{sale}")
    hold = page.get_by_role("button", name="Hold", exact=True)
    hold.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("people waiting keep their places")
    expect(dialog).to_contain_text("orders accepted are still worked off")
    no_grave_fault(page)
    for _ in range(6):  # round and round: the focus does not leave the question
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement === document.body || !!document.activeElement.closest('dialog')")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(hold).to_be_focused()
    assert len(log_of(shop, sale)) == 1  # nothing was done
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("button", name="Hold the sale")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".about .phase")).to_have_text("On hold")
    expect(page.locator("#told")).to_have_text(re.compile("on hold"))
    page.get_by_role("button", name="Resume").click()
    press(page, "Resume the sale")
    expect(page.locator(".about .phase")).to_have_text("Open")
    page.get_by_role("button", name="Rate", exact=True).click()
    page.get_by_label("People a second").fill("-1")
    press(page, "Set the rate")
    expect(dialog.locator(".problem").first).to_be_visible()  # what the server says, at its field
    page.get_by_label("People a second").fill("7.5")
    press(page, "Set the rate")
    expect(tile(page, "room")).to_contain_text("7.5/s")
    page.get_by_role("button", name="Message").click()
    page.get_by_label("Message on the waiting page").fill("We go on at nine")
    press(page, "Show it")
    expect(dialog).to_have_count(0)
    noted = [(one["action"], one["operator"], one["key_name"]) for one in log_of(shop, sale)]
    assert noted[:4] == [(action, "Zoë", "OPS_KEY") for action in ("change", "change", "resume", "hold")]


def test_what_cannot_be_undone_is_asked_for_with_more(shop: Shop, visit: Open) -> None:
    sale = shop.sale()
    second = key_of(shop, "operate")
    page = ops_page(visit(), shop, f"#/live/{sale}")
    page.get_by_role("button", name="Drain").click()
    press(page, "Drain the sale")
    expect(page.get_by_role("dialog")).to_contain_text("Ask a second person for their key")
    page.get_by_label("Key of a second person").fill("dbops_wrong")
    press(page, "Drain the sale")
    expect(page.get_by_role("dialog").locator(".problem")).to_contain_text("not a good one")
    no_grave_fault(page)
    page.get_by_label("Key of a second person").fill(second["key"])
    press(page, "Drain the sale")
    expect(page.locator(".about .phase")).to_have_text("Draining")
    page.get_by_role("button", name="Close for good").click()
    press(page, "Close the sale for good")
    expect(page.get_by_role("dialog").locator(".problem")).to_have_text(f"Type {sale}.")
    page.get_by_label(f"Type {sale} to say").fill(sale)
    press(page, "Close the sale for good")
    expect(page.locator(".about .phase")).to_have_text("Closed")
    expect(page.get_by_role("button", name="Close for good")).to_have_count(0)
    closed, drained = log_of(shop, sale)[:2]
    assert (closed["action"], drained["action"]) == ("close", "drain")
    assert drained["change"]["second_key"] == second["name"]


def test_a_key_that_may_only_look_gets_the_shop_floor_and_no_button(shop: Shop, visit: Open) -> None:
    sale = shop.sale()
    page = sign_in(visit(), shop, key_of(shop, "view")["key"])
    expect(page.locator(".floor-phase")).to_be_visible()
    page.goto(f"/ops/#/floor/{sale}")
    expect(page.locator(".floor-phase")).to_have_text("Open")
    expect(page.locator(".floor-stock li")).to_have_text(re.compile(r"Desk lamp\s*\d+"))
    page.goto(f"/ops/#/live/{sale}")
    expect(tile(page, "backlog")).to_be_visible()
    assert page.locator("main button").count() == 0
    for place in ("#/sales", f"#/sales/{sale}", "#/keys"):
        page.goto(f"/ops/{place}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.locator("main table").first).to_be_visible()
        controls = page.locator("main button:visible, main a.button")
        assert controls.filter(has_not_text="Show more").count() == 0, place
    csrf = page.request.get("/ops/session").json()["csrf"]
    refused = page.request.post(f"/ops/sales/{sale}/hold", headers={"X-CSRF-Token": csrf})
    assert (refused.status, refused.json()["code"]) == (403, "role_required")


def test_an_old_figure_is_never_shown_as_if_it_were_of_now(shop: Shop, visit: Open) -> None:
    sale = shop.sale()
    context = visit()
    told = Told(context)
    page = ops_page(context, shop, f"#/live/{sale}")
    expect(tile(page, "waiting").locator(".value")).to_have_text("0")
    told.is_cut_off = True
    later(page, 6_000)
    expect(page.locator("main .notice.bad").first).to_contain_text("not of now")
    expect(page.locator("#told")).to_contain_text("does not answer")
    no_grave_fault(page)
    later(page, 60_000)
    expect(tile(page, "waiting")).not_to_be_visible()
    expect(page.locator("main .notice.bad").first).to_contain_text("Nothing is known of the sale now")
    expect(page.get_by_role("button", name="Hold", exact=True)).to_be_visible()  # it can be tried all the same
    told.is_cut_off = False
    expect(tile(page, "waiting").locator(".value")).to_have_text("0")
    expect(page.locator(".heard")).to_have_text("live")


def room_away(view: dict[str, Any]) -> None:
    for name in ("waiting", "called", "active", "admitted_per_s", "refusals"):
        view[name] = None
    words = "the room's store does not answer"
    view["room"] |= {"rate_per_s": None, "why": "unknown", "reason": words}
    view["troubles"] = [words]


def at_its_worst(view: dict[str, Any]) -> None:
    view |= {
        "backlog": 38_211, "backlog_s": 42.3, "accepted_per_s": 1218.3, "confirmed_per_s": None, "go": False,
        "go_at": view["at"], "no_go": [{"check": "capacity", "reason": "12,000 orders can be drained in time"}],
        "refusals": {"sold_out": 812}, "payments": {"due": 3, "failing": 17, "paused": "down"}, "payments_failing": 17,
        "products": None, "stock": None, "troubles": ["Postgres does not answer"],
        "alerts": [{
            "name": "DrainLate", "since": view["at"], "severity": "page", "summary": "Orders wait too long",
            "runbook": "docs/runbook.md#drainlate",
        }],
    }  # fmt: skip


def test_what_nobody_knows_is_said_in_words_and_alerts_lead_to_what_to_do(shop: Shop, visit: Open) -> None:
    sale = shop.sale()
    context = visit()
    told = Told(context, room_away)
    page = ops_page(context, shop, f"#/live/{sale}")
    for name in ("waiting", "admitted", "room"):
        expect(tile(page, name)).to_contain_text("the room's store does not answer")
        assert not re.search(r"\d", tile(page, name).inner_text()), name
    no_grave_fault(page)
    told.change = at_its_worst
    expect(tile(page, "confirmed")).to_contain_text("Postgres does not answer")
    expect(tile(page, "backlog")).to_contain_text("42 s")
    expect(tile(page, "payments")).to_contain_text("the provider does not answer")
    expect(tile(page, "go")).to_contain_text("capacity: 12,000 orders can be drained in time")
    expect(page.locator(".alerts")).to_contain_text("Orders wait too long")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # a literal's type is private
        no_grave_fault(page)
    page.get_by_role("link", name="what to do").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("DrainLate")
    no_grave_fault(page)
