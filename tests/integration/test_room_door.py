"""At the door: until when an admission is good."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import httpx
import pytest

from intake.room.desk import OpenRoom
from tests.fixtures.intake import Intake
from tests.fixtures.visitors import Visitor, open_room
from tests.fixtures.waiting import eventually


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, str(answer.json().get("code", ""))


async def let_in(intake: Intake, name: str = "ann", **more: Any) -> tuple[Visitor, str, float]:
    """Return a visitor just admitted, its admission, and the Unix time at which that ends."""
    one = Visitor(intake, "sale", name, more)
    await one.join()

    async def claimed() -> dict[str, Any]:
        answer = await one.claim()
        return dict(answer.json()) if answer.status_code == 200 else {}

    found = await eventually(claimed)
    return one, found["admission"], datetime.fromisoformat(found["expires_at"]).timestamp()


async def until(moment: float) -> None:
    async def reached() -> bool:
        return time.time() >= moment

    await eventually(reached)


async def test_an_admission_and_its_slot_end_together(roomy: Intake) -> None:
    await open_room(roomy, room={"admission_s": 1, "max_active": 1})
    ann, admission, ends = await let_in(roomy)
    bob = Visitor(roomy, "sale", "bob")
    await bob.join()
    await until(ends)
    refused = await ann.order(admission, "late")
    assert code_of(refused) == (401, "admission_expired")
    assert refused.json()["room"] == "/sales/sale/wait"
    assert code_of(await ann.claim()) == (410, "admission_finished")
    assert await bob.admitted()
    assert code_of(await ann.order(admission, "later")) == (401, "admission_expired")


async def test_a_clock_that_is_behind_makes_it_no_longer(roomy: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    await open_room(roomy, room={"admission_s": 1})
    ann, admission, ends = await let_in(roomy)
    monkeypatch.setattr(OpenRoom, "now_s", property(lambda _room: ends - 600))
    await until(ends)
    refused = await ann.order(admission, "late")
    assert code_of(refused) == (401, "admission_expired")
    assert refused.json()["room"] == "/sales/sale/wait"
