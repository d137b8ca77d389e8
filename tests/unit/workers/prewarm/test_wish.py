"""How far it is scaled out: the largest of all wishes, from the lead on until a sale is over and worked off."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from db.sales import LiveSale
from workers.prewarm.wish import wish_of

NOW = datetime(2026, 11, 27, 20, tzinfo=UTC)


def sale(number: int, starts_in_s: float, *, lead_s: int = 1800, phase: str = "open", **more: Any) -> LiveSale:
    scale = more.pop("scale", {"intake": 4, "workers": 8})
    ends_in_s = more.pop("ends_in_s", None)
    return LiveSale(
        sale_number=number, sale_id=f"sale-{number}", partitions=1, starts_at=NOW + timedelta(seconds=starts_in_s),
        ends_at=None if ends_in_s is None else NOW + timedelta(seconds=ends_in_s), room_epoch=1, version=1,
        phase=phase, base_phase=phase, timeline=(), terms_at=None, read_at=NOW,
        prewarm_lead_s=lead_s, prewarm_given={"scale": scale},
    )  # type: ignore[arg-type]  # fmt: skip


@pytest.mark.parametrize(
    ("starts_in_s", "more", "wants"),
    [
        (1801, {}, False),
        (1800, {}, True),
        (-50, {}, True),
        (-50, {"phase": "hold"}, True),
        (60, {"scale": None}, False),
        (-50, {"phase": "closed"}, True),  # what it accepted is worked off still
        (-50, {"ends_in_s": -1}, True),
        (60, {"phase": "closed"}, False),  # it never began
    ],
)
def test_who_wants_what(starts_in_s: float, more: dict[str, Any], wants: bool) -> None:
    wish = wish_of([sale(1, starts_in_s, **more)])
    assert (wish.counts, wish.sales) == (({"intake": 4, "workers": 8}, (1,)) if wants else ({}, ()))


def test_a_sale_that_is_over_and_worked_off_wants_nothing() -> None:
    over = sale(1, -50, phase="closed")
    assert wish_of([over], {1}).sales == ()
    assert wish_of([sale(1, -50)], {1}).sales == (1,), "one that goes on does"


def test_the_largest_wish_holds_role_by_role() -> None:
    sales = [sale(1, 60, scale={"intake": 2, "workers": 9}), sale(2, -5, scale={"intake": 3}), sale(3, 9_999)]
    assert wish_of(sales) == ({"intake": 3, "workers": 9}, (1, 2))


def test_a_moment_ahead_is_seen_with_the_others_that_have_a_wish_then() -> None:
    sales = [sale(1, 3_600, scale={"intake": 2}), sale(2, 4_000, scale={"intake": 7})]
    assert wish_of(sales).counts == {}
    assert wish_of(sales, at=NOW + timedelta(seconds=1_800)).counts == {"intake": 2}
    assert wish_of(sales, at=NOW + timedelta(seconds=2_300)).counts == {"intake": 7}
