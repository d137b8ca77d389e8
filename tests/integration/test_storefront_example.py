"""The Python shop of `examples/` against a real intake: it buys once, whatever happens, and goes through the room."""

from __future__ import annotations

import asyncio
import importlib.util
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from falcon.testing import Result, TestClient
from redis.asyncio import Redis

from doorbuster import keys
from tests.fixtures.intake import Intake
from tests.fixtures.visitors import Visitor, open_room

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
Count = Callable[[], Awaitable[int]]
EXAMPLE = Path(__file__).parents[2] / "examples" / "python" / "shop.py"


def _example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("example_shop", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = made
    spec.loader.exec_module(made)
    return made


class Shopper:
    """A browser as far as the example needs one: cookies, forms, redirects."""

    def __init__(self, app: Any) -> None:
        self._client, self._cookies = TestClient(app), dict[str, str]()

    async def ask(self, path: str, **form: str) -> Result:
        """Ask for a page, or post a form, and follow where it leads."""
        how: dict[str, Any] = {"cookies": self._cookies}
        if form:
            how |= {
                "method": "POST",
                "body": urlencode(form),
                "headers": {"Content-Type": "application/x-www-form-urlencoded"},
            }
        # Off the event loop: the intake that it calls is served there.
        answer = await asyncio.to_thread(self._client.simulate_request, path=path, **how)
        self._cookies |= {name: one.value for name, one in answer.cookies.items()}
        return await self.ask(answer.headers["location"]) if answer.status_code == 303 else answer

    async def press(self, page: Result) -> Result:
        """Press Buy."""
        found = re.search(r'name="key" value="(\w+)"', page.text)
        assert found, page.text
        return await self.ask("/buy", key=found[1])


def said(page: Result) -> str:
    found = re.search("<h1>(.*?)</h1>", page.text)
    assert found, page.text
    return found[1]


@pytest.fixture
async def shopper(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shopper]:
    example = _example()
    monkeypatch.setattr(example, "WAIT_S", 1)
    with httpx.Client(base_url=f"http://127.0.0.1:{intake.port}", timeout=20, trust_env=False) as http:
        yield Shopper(example.make_app(http, "sale", "hot"))
    del sys.modules["example_shop"]


@pytest.fixture
def accepted(orders_redis: Redis) -> Count:
    """How many orders the only sale has accepted."""

    async def count() -> int:
        return int(await orders_redis.xlen(keys.stream(1, 0)))

    return count


async def test_it_shows_the_product_and_buys_it_once(intake: Intake, shopper: Shopper, accepted: Count) -> None:
    await intake.open_sale()
    page = await shopper.ask("/")
    assert (said(page), "1.00 EUR" in page.text) == ("hot", True)
    for _ in range(3):
        assert said(await shopper.press(page)) == "Your order"  # pressed again: the same attempt
    assert await accepted() == 1
    again = await shopper.press(await shopper.ask("/"))
    assert "We have your order." in again.text
    assert await accepted() == 2


async def test_while_nobody_knows_it_sends_the_same_key(intake: Intake, shopper: Shopper, accepted: Count) -> None:
    await intake.open_sale()
    page = await shopper.ask("/")
    intake.guard.in_flight = 10**6
    unknown = await shopper.press(page)
    assert said(unknown) == "One moment"
    assert 'http-equiv="refresh"' in unknown.text
    assert said(await shopper.ask("/")) == "hot", "a product page that is at hand is shown whatever is in work"
    intake.guard.in_flight = 0
    assert said(await shopper.press(page)) == "Your order"
    assert await accepted() == 1


async def test_that_the_shop_has_too_much_to_do_is_said(intake: Intake, shopper: Shopper) -> None:
    await intake.open_sale()
    intake.guard.in_flight = 10**6
    assert said(await shopper.ask("/")) == "The shop is busy", "nothing of it is at hand yet"


async def test_what_is_refused_is_said(intake: Intake, shopper: Shopper) -> None:
    await intake.open_sale(starts_at="2090-01-01T00:00:00Z")
    assert "takes no orders now" in (await shopper.press(await shopper.ask("/"))).text


async def test_it_goes_through_the_room(intake: Intake, shopper: Shopper, accepted: Count) -> None:
    await open_room(intake)
    first = await shopper.press(await shopper.ask("/"))
    assert said(first) == "There is a queue"
    assert f"http://127.0.0.1:{intake.port}/sales/sale/wait" in first.text
    assert await accepted() == 0
    visitor = Visitor(intake, "sale", "ann")
    await visitor.join()
    admission = await visitor.admitted()
    assert "doorbuster_admission" in (await shopper.ask("/admitted")).text
    page = await shopper.ask("/admitted", admission=admission)
    assert said(page) == "hot"
    assert said(await shopper.press(page)) == "Your order"
    assert await accepted() == 1


async def test_an_attempt_is_its_customers_alone(intake: Intake, shopper: Shopper) -> None:
    await intake.open_sale()
    page = await shopper.ask("/")
    await shopper.press(page)
    found = re.search(r'name="key" value="(\w+)"', page.text)
    assert found
    stranger = Shopper(shopper._client.app)
    assert (await stranger.ask(f"/attempts/{found[1]}")).status_code == 404


def test_it_starts_as_the_document_says() -> None:
    command = [sys.executable, str(EXAMPLE), "--sale", "s", "--product", "p", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\n", process.stdout.readline())
        process.terminate()
