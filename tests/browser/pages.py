"""What the browser tests do besides browsing: ops, other visitors, and looking for faults of a page."""

from __future__ import annotations

import hashlib
import itertools
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.fixtures.up import Running

_names = itertools.count()
_GRAVE = {"serious", "critical"}


class Shop:
    """A shop with one lamp, and sales of it."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self._open: list[str] = []
        body = {"name": "Desk lamp", "brand": "Acme", "category": "home", "price": 4900, "currency": "EUR"}
        running.ops.put("/ops/products/lamp", json=body).raise_for_status()
        running.ops.post("/ops/products/lamp/stock", json={"receive": 100}).raise_for_status()

    def sale(self, **room: Any) -> str:
        """Open a sale with a room; return its id."""
        sale = f"sale-{next(_names)}"
        body: dict[str, Any] = {"sale_id": sale, "name": "Friday sale", "products": [{"product_id": "lamp"}]}
        if "starts_at" in room:
            body["starts_at"] = room.pop("starts_at")
        terms = {"mode": "always", "rate_per_s": 1, "burst": 1} | room
        self.running.ops.post("/ops/sales", json=body | {"room": terms}).raise_for_status()
        self._open.append(sale)
        return sale

    def close(self) -> None:
        """Close the sales that were opened, also those that are closed already."""
        while self._open:
            self.running.ops.post(f"/ops/sales/{self._open.pop()}/close").raise_for_status()

    def change(self, sale: str, **terms: Any) -> None:
        """Change a sale; `room` may be a part of its terms."""
        self.running.ops.patch(f"/ops/sales/{sale}", json=terms).raise_for_status()

    def crowd(self, sale: str, count: int) -> None:
        """Let others join, who never come."""
        for _ in range(count):
            body = {"visitor_id": f"crowd-{next(_names):08}", "secret_hash": hashlib.sha256(b"crowd").hexdigest()}
            self.running.http.post(f"/sales/{sale}/room/tickets", json=body).raise_for_status()


def no_grave_fault(page: Page) -> None:
    """Fail if axe finds what keeps people out."""
    found = Axe().run(page).response["violations"]
    grave = [(one["id"], one["impact"], one["nodes"][0]["html"]) for one in found if one["impact"] in _GRAVE]
    assert grave == [], grave


class Watch:
    """What a page did that it must not: errors of its script, requests to others."""

    def __init__(self, page: Page, base: str) -> None:
        self.errors: list[str] = []
        self.foreign: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda line: self.errors.append(line.text) if line.type == "error" else None)
        page.on("request", lambda sent: None if sent.url.startswith(base) else self.foreign.append(sent.url))

    def is_clean(self) -> bool:
        """Say whether there was none of it."""
        assert (self.errors, self.foreign) == ([], [])
        return True
