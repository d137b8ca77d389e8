"""Ops who change different terms of one sale at the same moment undo nothing of each other."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from db import sales
from tests.fixtures.intake import Intake

ROUNDS = 15


async def _lost(intake: Intake) -> list[str]:
    """Change four terms of a sale at once, again and again; return the changes that are not there afterwards."""
    await intake.open_sale(room={"mode": "always"})
    lost = []
    for number in range(1, ROUNDS + 1):
        wanted: list[dict[str, Any]] = [
            {"name": f"name {number}"}, {"hold_s": number}, {"room": {"message": f"m {number}"}},
            {"room": {"max_active": number}},
        ]  # fmt: skip
        answers = await asyncio.gather(*(intake.ops.patch("/ops/sales/sale", json=body) for body in wanted))
        assert [answer.status_code for answer in answers] == [200] * len(wanted)
        sale = (await intake.ops.get("/ops/sales/sale")).json()
        lost += [str(body) for body in wanted if not _stands(body, sale)]
    return lost


def _stands(body: dict[str, Any], sale: dict[str, Any]) -> bool:
    room = body.get("room", {})
    return room.items() <= sale["room"].items() and all(sale[name] == body[name] for name in body.keys() - {"room"})


async def test_no_change_of_a_sale_is_lost(intake: Intake) -> None:
    assert await _lost(intake) == []


async def test_without_the_lock_changes_are_lost(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control."""
    monkeypatch.setattr(sales, "_SQL", {**sales._SQL, "lock_sale": "select $1::text"})
    assert await _lost(intake)
