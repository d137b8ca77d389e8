"""The end of the waiting: over or sold out, nobody is kept waiting and no admission is given again."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio import Redis

from tests.fixtures.intake import Intake
from tests.fixtures.visitors import Visitor, open_room
from tests.fixtures.waiting import eventually
from waitingroom.room import RoomConfig
from waitingroom.room_store import Room


def store_of(redis: Redis, number: int) -> Room:
    return Room(redis, lambda: RoomConfig(sale_number=number, version=0))


async def _status(intake: Intake) -> dict[str, Any]:
    found: dict[str, Any] = (await intake.http.get("/sales/sale/room")).json()
    return found


async def test_sold_out_while_waiting_lets_people_go(roomy: Intake, room_redis: Redis) -> None:
    sale = await open_room(roomy, room={"rate_per_s": 0.001, "burst": 1})
    ann, bob = Visitor(roomy, "sale", "ann"), Visitor(roomy, "sale", "bob")
    await ann.join()
    await bob.join()
    await store_of(room_redis, sale["sale_number"]).note_sold_out(whole=True, products=["hot"])

    async def told() -> bool:
        answer = await bob.claim()
        return answer.status_code == 410 and answer.json()["code"] == "room_sold_out"

    await eventually(told)

    async def shown() -> bool:
        return bool((await _status(roomy))["sold_out"] == {"whole": True, "products": ["hot"]})

    await eventually(shown)
    late = await Visitor(roomy, "sale", "eve").join()
    assert (late.status_code, late.json()["code"]) == (410, "room_sold_out")


@pytest.mark.parametrize("end", ["close", "drain"])
async def test_after_the_end_no_admission_is_given_again(roomy: Intake, end: str) -> None:
    await open_room(roomy)
    ann = Visitor(roomy, "sale", "ann")
    await ann.join()
    await ann.admitted()
    (await roomy.ops.post(f"/ops/sales/sale/{end}")).raise_for_status()

    async def told() -> bool:
        answer = await ann.claim()
        return answer.status_code == 410 and answer.json()["code"] == "room_over"

    await eventually(told)


async def test_an_admission_comes_again_while_anything_is_left(roomy: Intake, room_redis: Redis) -> None:
    sale = await open_room(roomy)
    ann = Visitor(roomy, "sale", "ann")
    await ann.join()
    admission = await ann.admitted()
    room = store_of(room_redis, sale["sale_number"])
    await room.note_sold_out(whole=False, products=["other"])
    assert await ann.admitted() == admission
    await room.note_sold_out(whole=True, products=["hot", "other"])
    gone = await ann.claim()
    assert (gone.status_code, gone.json()["code"]) == (410, "room_sold_out")
    await room.note_sold_out(whole=False, products=["other"])
    assert await ann.admitted() == admission
