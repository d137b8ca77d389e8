"""The guide's receiver takes what is sent, once, and refuses what is forged."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from doorbuster.contract.webhooks import EVENT_TYPES
from tests.fixtures.receivers import Hooks

GUIDE = (Path(__file__).parents[4] / "docs" / "webhooks.md").read_text()


@pytest.fixture
def taken() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def take(taken: list[dict[str, Any]]) -> Callable[[str, bytes, dict[str, str]], int]:
    """The receiver as the guide writes it."""
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    seen: set[str] = set()

    def remember(event_id: str) -> bool:
        is_new = event_id not in seen
        seen.add(event_id)
        return is_new

    names: dict[str, Any] = {"remember": remember, "enqueue": taken.append}
    exec(code, names)
    found: Callable[[str, bytes, dict[str, str]], int] = names["take"]
    return found


async def test_the_guides_receiver_takes_each_event_once_and_no_forged_one(
    hooks: Hooks, take: Callable[[str, bytes, dict[str, str]], int], taken: list[dict[str, Any]]
) -> None:
    receiver = await hooks.receiver()
    await hooks.shop.stock(lamp=1)
    await hooks.shop.open_sale("lamp")
    await hooks.shop.buy("ada", lamp=1)
    await hooks.shop.drain()
    await hooks.shop.settle()
    await hooks.tell()
    for got in receiver.got * 2:
        assert take(receiver.secret, got.raw.encode(), got.headers) == 204
    assert [event["type"] for event in taken] == ["order.pending", "order.confirmed"]
    got = receiver.got[0]
    assert take(receiver.secret, got.raw.replace("ada", "eve").encode(), got.headers) == 400
    assert take("whsec_c29tZWJvZHkgZWxzZSdzIHNlY3JldA==", got.raw.encode(), got.headers) == 400
    assert take(receiver.secret, got.raw.encode(), got.headers | {"webhook-signature": "none"}) == 400
    assert take(receiver.secret, got.raw.encode(), {}) == 400


def test_the_guide_has_every_type_and_no_other() -> None:
    section = GUIDE.partition("## Types")[2].partition("## Private")[0]
    assert re.findall(r"^\| `([a-z_.]+)` \|", section, re.MULTILINE) == list(EVENT_TYPES)
