"""A set-up goes on where a store was late: what may be repeated is, what may not is read first."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.fixtures.insisting import insist, make_sale, stock_up


class LateShop:
    """Ops calls each of which a store is late for at first, before (`done` is false) or after it was done."""

    def __init__(self, *, done: bool) -> None:
        self._done = done
        self._seen: set[tuple[str, str]] = set()
        self.received = 0
        self.sales: list[str] = []
        self.published = 0
        self.ops = httpx.Client(base_url="http://shop", transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        call = (request.method, request.url.path)
        is_late = call not in self._seen
        self._seen.add(call)
        if is_late and not self._done:
            return httpx.Response(503)
        answer = self._do(*call)
        return httpx.Response(503) if is_late else answer

    def _do(self, method: str, path: str) -> httpx.Response:
        if path.endswith("/stock"):
            self.received += 5
        if path.endswith("/resume"):
            self.published += 1
        elif path == "/ops/sales":
            if self.sales:
                return httpx.Response(409)
            self.sales.append("one")
        ledger = {"received": self.received} if self.received else None
        return httpx.Response(200, json={"stock": ledger, "sale_number": 1})


@pytest.fixture(params=[False, True], ids=["late before it was done", "late after it was done"])
def shop(request: pytest.FixtureRequest) -> LateShop:
    return LateShop(done=request.param)


def test_units_are_received_once(shop: LateShop) -> None:
    stock_up(shop.ops, "lamp", 5)
    assert shop.received == 5


def test_a_sale_is_made_once_and_published(shop: LateShop) -> None:
    made: dict[str, Any] = make_sale(shop.ops, {"sale_id": "one"})
    assert (made["sale_number"], shop.sales) == (1, ["one"])
    assert shop.published or shop._done is False


def test_what_is_refused_is_told() -> None:
    refusing = httpx.Client(base_url="http://shop", transport=httpx.MockTransport(lambda _: httpx.Response(422)))
    with pytest.raises(httpx.HTTPStatusError):
        insist(refusing, "PUT", "/ops/products/lamp", json={})
