"""What ops are answered is in force at the very next request, in every process; without the announcement it is not."""

from __future__ import annotations

from typing import Any, NamedTuple

import httpx
import pytest
from redis.asyncio import Redis

from doorbuster import keys
from intake.changes import announcements
from intake.changes.announcements import Announcements
from tests.fixtures.intake import Intake, Serve
from tests.fixtures.shop import Shop
from tests.fixtures.visitors import Visitor, open_room
from tests.fixtures.waiting import eventually
from waitingroom.room import RoomConfig
from waitingroom.room_store import Room

CLOSING = ("drain", "close")


class Two(NamedTuple):
    """Two processes of one house: ops talk to one, shoppers to the other."""

    ops: Intake
    shop: Intake


@pytest.fixture
async def two(serve: Serve, room_redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Two:
    # A process that is slow on a busy machine is waited for; one that says nothing has a test of its own.
    monkeypatch.setattr(announcements, "WITHIN_S", 15.0)
    return Two(await serve(room_redis_url=room_redis_url), await serve(room_redis_url=room_redis_url))


async def silent(self: Announcements, **_told: Any) -> None:
    """Announce nothing: negative control."""


def said(answer: httpx.Response) -> str:
    return str(answer.json().get("code", answer.status_code))


async def test_a_raised_allotment(two: Two, shop: Shop) -> None:
    made = await two.ops.open_sale("sale", "hot")
    shop.sale_number = made["sale_number"]
    await two.ops.ops.post("/ops/products/hot/stock", json={"receive": 9})
    for units in (1, 2, 3):
        terms = {"products": [{"product_id": "hot", "quantity": units}]}
        (await two.ops.ops.patch("/ops/sales/sale", json=terms)).raise_for_status()
        assert (await two.shop.post("sale")).status_code == 202
        await shop.drain()

        async def refused() -> bool:
            # A key of its own each time: one that was taken before the flag was seen would be replayed for ever.
            return said(await two.shop.post("sale")) == "sold_out"

        await eventually(refused)


async def test_stock_that_came_in(two: Two, shop: Shop) -> None:
    shop.sale_number = (await two.ops.open_sale("sale", "hot"))["sale_number"]
    for _ in range(3):
        await shop.orders.sadd(keys.sold_out(shop.sale_number, 0), "hot")

        async def refused() -> bool:
            return said(await two.shop.post("sale")) == "sold_out"

        await eventually(refused)
        (await two.ops.ops.post("/ops/products/hot/stock", json={"receive": 1})).raise_for_status()
        assert (await two.shop.post("sale")).status_code == 202


async def _sells(two: Two) -> list[str]:
    """Put b in, take a out; return what the other process says then."""
    await two.ops.open_sale("sale", "a", "b")
    await list_products(two, "a")
    refused = await two.shop.post("sale", lines=[{"product_id": "b", "quantity": 1}])
    await list_products(two, "a", "b")
    taken = await two.shop.post("sale", lines=[{"product_id": "b", "quantity": 1}])
    await list_products(two, "b")
    gone = await two.shop.post("sale", lines=[{"product_id": "a", "quantity": 1}])
    return [said(refused), said(taken), said(gone)]


async def list_products(two: Two, *products: str) -> None:
    body = {"products": [{"product_id": one} for one in products]}
    (await two.ops.ops.patch("/ops/sales/sale", json=body)).raise_for_status()


async def test_products_that_came_and_went(two: Two) -> None:
    assert await _sells(two) == ["invalid", "202", "invalid"]


async def test_without_the_announcement_others_go_on_as_before(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control."""
    monkeypatch.setattr(Announcements, "tell", silent)
    assert await _sells(two) != ["invalid", "202", "invalid"]


async def waiting(two: Two, **room: Any) -> tuple[Visitor, Visitor]:
    """Open a room that has one in at a time; return who may claim, and who waits behind, both of the other process."""
    await open_room(two.ops, room={"max_active": 1} | room)
    ann, bob = Visitor(two.shop, "sale", "ann"), Visitor(two.shop, "sale", "bob")
    for one in (ann, bob):
        assert (await one.join()).status_code == 201

    async def seen() -> bool:
        return bool((await status(two.shop))["tail"] == 2)

    await eventually(seen)
    return ann, bob


async def status(intake: Intake) -> dict[str, Any]:
    shown: dict[str, Any] = (await intake.http.get("/sales/sale/room")).json()
    return shown


async def test_a_hold_of_the_room(two: Two) -> None:
    ann, bob = await waiting(two)
    await two.ops.ops.post("/ops/sales/sale/hold")
    assert (await status(two.shop))["phase"] == "hold"
    assert [(await one.claim()).json()["phase"] for one in (bob, ann)] == ["hold", "hold"]
    await two.ops.ops.post("/ops/sales/sale/resume")
    assert (await status(two.shop))["phase"] == "open"
    assert await ann.admitted()


@pytest.mark.parametrize("verb", CLOSING)
async def test_the_end_of_the_room(two: Two, verb: str) -> None:
    ann, bob = await waiting(two)
    await two.ops.ops.post(f"/ops/sales/sale/{verb}")
    assert [said(await one.claim()) for one in (bob, ann)] == ["room_over", "room_over"]
    assert said(await Visitor(two.shop, "sale", "cyd").join()) == "room_over"
    assert (await status(two.shop))["phase"] in ("drain", "over")


async def test_a_revoked_wave(two: Two) -> None:
    ann, _ = await waiting(two)
    admission = await ann.admitted()
    await two.ops.ops.post("/ops/sales/sale/room/revoke")
    assert said(await ann.order(admission, "one")) == "admission_invalid"
    assert said(await ann.claim()) == "admission_revoked"


async def test_a_room_that_is_switched_on_and_off(two: Two) -> None:
    await two.ops.open_sale("sale", "hot")
    assert said(await two.shop.post("sale")) == "202"
    for mode, says in (("always", "admission_required"), ("off", "202")) * 2:
        (await two.ops.ops.patch("/ops/sales/sale", json={"room": {"mode": mode}})).raise_for_status()
        assert said(await two.shop.post("sale")) == says


async def test_units_that_came_back_open_the_room(two: Two, room_redis: Redis) -> None:
    ann, _ = await waiting(two)
    number = (await two.ops.ops.get("/ops/sales/sale")).json()["sale_number"]
    room = Room(room_redis, lambda: RoomConfig(sale_number=number, version=0))
    await room.note_sold_out(whole=True, products=["hot"])
    assert said(await ann.claim()) == "room_sold_out"

    async def seen() -> bool:
        return bool((await status(two.shop))["sold_out"]["whole"])

    await eventually(seen)
    await two.ops.ops.post("/ops/products/hot/stock", json={"receive": 1})
    assert (await status(two.shop))["sold_out"] == {"whole": False, "products": []}
    assert (await ann.claim()).status_code == 200


async def test_a_new_sale_is_there(two: Two) -> None:
    await two.ops.make_product("hot")
    for number in range(5):
        name = f"sale-{number}"
        assert said(await two.shop.post(name)) == "sale_not_found"
        body = {"sale_id": name, "products": [{"product_id": "hot"}]}
        (await two.ops.ops.post("/ops/sales", json=body)).raise_for_status()
        assert said(await two.shop.post(name)) == "202"


async def test_a_process_that_says_nothing_is_not_waited_for_without_end(
    two: Two, orders_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    await two.ops.open_sale("sale", "hot")
    monkeypatch.setattr(announcements, "WITHIN_S", 0.2)
    async with orders_redis.pubsub() as mute:
        await mute.subscribe(keys.SALES)
        assert (await two.ops.ops.post("/ops/sales/sale/hold")).status_code == 200
    assert said(await two.shop.post("sale")) == "sale_not_open"


async def test_what_is_no_announcement_changes_nothing(two: Two, orders_redis: Redis) -> None:
    await two.ops.open_sale("sale", "hot")
    await orders_redis.publish(keys.SALES, b"sale")  # as an older version says it
    assert (await two.ops.ops.post("/ops/sales/sale/hold")).status_code == 200
