"""What others may keep of an answer that this process keeps too: never beyond the flip of its price."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from catalogue import responses
from catalogue.cache import items
from catalogue.cache.read_through import Copy, Loaded
from catalogue.responses import CacheTerms, show_product
from db.products.catalogue import Item

TERMS = CacheTerms(cdn_s=60, stale_s=30)


class Clock:
    """The time as the test sets it."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def time(self) -> float:
        return self.now

    def time_ns(self) -> int:
        return int(self.now * 1e9)


def test_the_nearer_a_flip_the_shorter_others_may_keep_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(responses, "time", clock)
    flips = clock.now + 200
    item = Item(
        product_id="p", name="p", brand="b", category="c", price=100, currency="EUR", active=True, version=1, units=5,
        updated_at=datetime.now(UTC), windows=[(int(flips * 1e6), None, 90)], description=None, attributes=None,
    )  # fmt: skip
    copy = Copy(items.product("p"), Loaded(1, items._encode(item)), ())
    shown = show_product(copy, TERMS)
    seen = []
    while clock.now < flips:
        if shown.until <= clock.now:
            shown = show_product(copy, TERMS)
        control = shown.headers["Cache-Control"]
        kept = sum(int(part.partition("=")[2]) for part in control.split(", ")[2:])
        assert clock.now + kept <= flips, control
        seen.append(control)
        clock.now += 0.25
    assert seen[0] == "public, max-age=1, s-maxage=60, stale-while-revalidate=30"
    assert seen[-1] == "public, max-age=0, s-maxage=0"
    assert b'"price":90' in show_product(copy, TERMS).body
