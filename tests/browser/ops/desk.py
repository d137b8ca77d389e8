"""What the tests of the page of ops do besides browsing: keys, and what the live screen is told."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from playwright.sync_api import BrowserContext, Page, Route

from tests.browser.pages import Shop

_names = itertools.count()
PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}}
LIVE = "**/ops/sales/*/live*"


def key_of(shop: Shop, role: str) -> dict[str, Any]:
    """Make a key of the role."""
    body = {"name": f"{role} {next(_names)}", "role": role}
    made: dict[str, Any] = shop.running.ops.post("/ops/keys", json=body).raise_for_status().json()
    return made


def sign_in(context: BrowserContext, shop: Shop, key: str, place: str = "") -> Page:
    """Open the page, signed in with the key, at a place of it."""
    headers = {"Sec-Fetch-Site": "same-origin"}
    answer = context.request.post(f"{shop.running.base}/ops/session", data={"key": key}, headers=headers)
    assert answer.status == 201, answer.text()
    page = context.new_page()
    page.goto(f"/ops/{place}")
    return page


def ops_page(context: BrowserContext, shop: Shop, place: str = "") -> Page:
    """Open the page with the key of the settings."""
    return sign_in(context, shop, shop.running.ready["ops_key"], place)


class Told:
    """Changes what the live screen hears, and cuts it off: by asking, since no stream comes through it."""

    def __init__(self, context: BrowserContext, change: Callable[[dict[str, Any]], None] = lambda _view: None) -> None:
        self.change, self.is_cut_off = change, False
        context.route(LIVE, self._answer)

    def _answer(self, route: Route) -> None:
        if self.is_cut_off or "event-stream" in route.request.headers.get("accept", ""):
            route.abort()
            return
        view = route.fetch().json()
        self.change(view)
        route.fulfill(json=view)


def is_as_wide_as_its_window(page: Page) -> bool:
    """Say whether nobody has to scroll sideways."""
    wide, window = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    return bool(wide <= window)


def tile(page: Page, name: str) -> Any:
    """Return a figure of the live screen."""
    return page.locator(f"#tile-{name}")


def log_of(shop: Shop, sale: str) -> list[dict[str, Any]]:
    """Return what ops changed of a sale, newest first."""
    found: list[dict[str, Any]] = shop.running.ops.get(f"/ops/audit?target=sale:{sale}").json()["items"]
    return found
