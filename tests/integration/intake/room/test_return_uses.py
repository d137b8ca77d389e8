"""A declined card, or units gone at the drain, costs nobody the admission; and no use comes back twice."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest
from redis.asyncio import Redis

from db.audit.admissions import admission_figures
from doorbuster import keys
from doorbuster.orderstore import spent
from tests.fixtures.intake import Intake
from tests.fixtures.shop import Shop
from tests.fixtures.visitors import Visitor, open_room
from tests.fixtures.waiting import eventually
from waitingroom.room import RoomConfig
from waitingroom.room_store import Room

DECLINED = {"payment": {"token": "decline"}}


def said(answer: httpx.Response) -> str:
    return str(answer.json().get("code", answer.status_code))


@pytest.fixture
async def ann(roomy: Intake, shop: Shop) -> Visitor:
    """Ann, in the room of a sale of three units."""
    return await enter(roomy, shop)


async def enter(intake: Intake, shop: Shop, **room: Any) -> Visitor:
    shop.sale_number = (await open_room(intake, room=room))["sale_number"]
    await intake.ops.post("/ops/products/hot/stock", json={"receive": 3})
    one = Visitor(intake, "sale", "ann")
    await one.join()
    return one


async def statuses_of(shop: Shop, answer: httpx.Response) -> str:
    """Work the order off; return where it ended."""
    await shop.drain()
    await shop.settle()
    return (await shop.statuses([UUID(answer.json()["order_id"])]))[0]


async def spent_of(redis: Redis, shop: Shop) -> tuple[int, int]:
    (name,) = [one async for one in redis.scan_iter(match=keys.spent_prefix(shop.sale_number, 0) + "*")]
    found = spent.decode(await redis.get(name))
    return found.placed, found.returned


@pytest.mark.parametrize("way", [{}, {"Prefer": "wait=0"}], ids=["short", "long"])
async def test_after_a_declined_card_another_order_is_taken(
    ann: Visitor, shop: Shop, orders_redis: Redis, way: dict[str, str]
) -> None:
    admission = await ann.admitted()
    headers = {"Authorization": f"Bearer {admission}"} | way
    first = await ann.intake.post("sale", key="one", headers=headers, **DECLINED)
    assert said(first) == "202"
    assert said(await ann.intake.post("sale", key="soon", headers=headers)) == "admission_spent"
    assert await statuses_of(shop, first) == "cancelled:payment_declined"

    async def taken() -> httpx.Response | None:
        answer = await ann.intake.post("sale", key="two", headers=headers)
        return answer if answer.status_code == 202 else None

    second = await eventually(taken)
    assert await spent_of(orders_redis, shop) == (2, 1)
    assert await statuses_of(shop, second) == "confirmed"
    await asyncio.sleep(0.15)  # longer than it is not asked again
    assert said(await ann.intake.post("sale", key="three", headers=headers)) == "admission_spent"
    assert (await ann.intake.post("sale", key="one", headers=headers, **DECLINED)).json() == first.json()
    figures = await admission_figures(shop.db, orders_redis)
    assert [(figure.value, figure.breaches) for figure in figures] == [(2, 0)]


async def test_units_gone_at_the_drain_cost_no_admission(ann: Visitor, shop: Shop) -> None:
    admission = await ann.admitted()
    first = await ann.order(admission, "one", lines=[{"product_id": "hot", "quantity": 4}])
    assert await statuses_of(shop, first) == "cancelled:sold_out"
    second = await ann.order(admission, "two", lines=[{"product_id": "hot", "quantity": 3}])
    assert said(second) == "202"
    assert await statuses_of(shop, second) == "confirmed"


async def test_a_use_comes_back_once_whatever_races(ann: Visitor, shop: Shop, orders_redis: Redis) -> None:
    admission = await ann.admitted()
    assert await statuses_of(shop, await ann.order(admission, "one", **DECLINED)) == "cancelled:payment_declined"
    answers = await asyncio.gather(*(ann.order(admission, f"again-{number}") for number in range(20)))
    assert sorted(map(said, answers)) == ["202"] + ["admission_spent"] * 19
    assert await spent_of(orders_redis, shop) == (2, 1)


async def test_an_admission_claimed_again_has_its_slot(roomy: Intake, shop: Shop, room_redis: Redis) -> None:
    ann = await enter(roomy, shop, max_active=1)
    bob = Visitor(roomy, "sale", "bob")
    await bob.join()
    admission = await ann.admitted()
    first = await ann.order(admission, "one", **DECLINED)
    assert await bob.admitted()  # in ann's slot
    assert said(await ann.claim()) == "admission_finished"
    assert await statuses_of(shop, first) == "cancelled:payment_declined"

    async def again() -> str:
        return str((await ann.claim()).json().get("admission", ""))

    assert await eventually(again) == admission
    room = Room(room_redis, lambda: RoomConfig(sale_number=shop.sale_number, version=0))
    state = await room.tick()
    assert (state.active, state.counts.ordered) == (2, 0)
    cyd = Visitor(roomy, "sale", "cyd")
    await cyd.join()
    assert (await cyd.claim()).status_code == 202  # nobody is let in until there is a slot
    assert said(await ann.order(admission, "two")) == "202"

    async def released() -> bool:
        return (await room.tick()).active == 1

    await eventually(released)
    assert (await cyd.claim()).status_code == 202


async def test_what_ended_stays_ended(ann: Visitor, shop: Shop) -> None:
    admission = await ann.admitted()
    first = await ann.order(admission, "one", **DECLINED)
    assert await statuses_of(shop, first) == "cancelled:payment_declined"
    assert (await ann.leave()).json() == {"orders": 1}
    assert said(await ann.order(admission, "two")) == "admission_spent"
    await ann.intake.ops.post("/ops/sales/sale/room/revoke")
    assert said(await ann.order(admission, "three")) == "admission_invalid"


async def test_an_order_that_has_its_units_keeps_its_use(ann: Visitor, shop: Shop) -> None:
    admission = await ann.admitted()
    first = await ann.order(admission, "one")
    assert await statuses_of(shop, first) == "confirmed"
    assert said(await ann.order(admission, "two")) == "admission_spent"
    await ann.intake.http.post(f"/orders/{first.json()['order_id']}/cancel")

    async def taken() -> bool:
        return said(await ann.order(admission, "three")) == "202"

    await eventually(taken)
