"""Leaving with an admission (promise P7): what is given back buys nothing any more, whoever else is on the way."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis

from tests.fixtures.intake import Intake, Serve
from tests.fixtures.proxy import Proxy
from tests.fixtures.visitors import Visitor, open_room
from tests.fixtures.waiting import eventually
from waitingroom.room import RoomConfig
from waitingroom.room_store import Room


async def let_in(intake: Intake, name: str, **more: Any) -> tuple[Visitor, str]:
    """Return a visitor that has just been admitted."""
    one = Visitor(intake, "sale", name, more)
    await one.join()
    return one, await one.admitted()


@pytest.mark.parametrize("terms", [{}, {"partitions": 3}, {"room": {"max_active": 1, "orders_allowed": 3}}])
async def test_what_is_given_back_buys_nothing(roomy: Intake, terms: dict[str, Any]) -> None:
    await open_room(roomy, **{"room": {"max_active": 1}} | terms)
    tickets = []
    for name in ("ann", "bob", "eve"):
        one, admission = await let_in(roomy, name, customer_id=name)
        assert (await one.leave()).status_code == 204
        tickets.append((one, admission))
    for one, admission in tickets:
        refused = await one.order(admission, "late", customer_id=one.name)
        assert (refused.status_code, refused.json()["code"]) == (409, "admission_spent")
        assert (await one.leave()).status_code == 204
        gone = await one.claim()
        assert (gone.status_code, gone.json()["code"]) == (410, "place_left")


@pytest.mark.parametrize("allowed", [1, 3])
async def test_who_had_ordered_is_told_and_buys_no_more(roomy: Intake, allowed: int) -> None:
    await open_room(roomy, room={"max_active": 1, "orders_allowed": allowed})
    ann, admission = await let_in(roomy, "ann")
    first = await ann.order(admission, "one")
    assert first.status_code == 202
    for _ in range(2):
        left = await ann.leave()
        assert (left.status_code, left.json()) == (200, {"orders": 1})
    second = await ann.order(admission, "two")
    assert (second.status_code, second.json()["code"]) == (409, "admission_spent")
    again = await ann.order(admission, "one")
    assert (again.status_code, again.json()) == (202, first.json())
    await let_in(roomy, "bob")
    eve = Visitor(roomy, "sale", "eve")
    await eve.join()
    assert (await eve.claim()).status_code == 202, "one slot came back, not two"


async def test_without_the_order_store_the_slot_is_kept(
    serve: Serve, room_redis_url: str, orders_redis_url: str
) -> None:
    with Proxy(orders_redis_url) as line:
        intake = await serve(room_redis_url=room_redis_url, orders_redis_url=line.url, store_timeout_s=2)
        await open_room(intake, room={"max_active": 1})
        ann, _ = await let_in(intake, "ann")
        bob = Visitor(intake, "sale", "bob")
        await bob.join()
        line.cut()
        refused = await ann.leave()
        assert (refused.status_code, refused.json()["code"]) == (503, "store_unavailable")
        assert int(refused.headers["Retry-After"]) >= 1
        assert (await bob.claim()).status_code == 202
        line.mend()

        async def left() -> bool:
            return (await ann.leave()).status_code == 204

        await eventually(left)
        assert await bob.admitted()


async def test_an_end_that_no_replica_knows_frees_no_slot(serve: Serve, room_redis_url: str) -> None:
    intake = await serve(room_redis_url=room_redis_url, durability="replicas:1", replica_wait_ms=50)
    await open_room(intake, room={"max_active": 1})
    ann, _ = await let_in(intake, "ann")
    bob = Visitor(intake, "sale", "bob")
    await bob.join()
    for _ in range(2):
        refused = await ann.leave()
        assert (refused.status_code, refused.json()["code"]) == (503, "store_unavailable")
    assert (await bob.claim()).status_code == 202


async def test_an_order_on_its_way_wins_or_the_leaving_does(roomy: Intake, room_redis: Redis) -> None:
    sale = await open_room(roomy, room={"max_active": 40})
    crowd = [await let_in(roomy, f"v{n}") for n in range(40)]

    async def race(place: int, one: Visitor, admission: str) -> tuple[int, int]:
        calls = [one.order(admission, one.name), one.leave()]
        answers = await asyncio.gather(*(calls if place % 2 else reversed(calls)))
        order, leave = answers if place % 2 else reversed(answers)
        return order.status_code, leave.status_code

    ends = await asyncio.gather(*(race(place, *one) for place, one in enumerate(crowd)))
    assert set(ends) <= {(202, 200), (409, 204)}, "either the order counts and the leaving says so, or it is refused"
    room = Room(room_redis, lambda: RoomConfig(sale_number=sale["sale_number"], version=0))

    async def settled() -> bool:
        state = await room.tick()
        return state.active == 0 and state.counts.ordered + state.counts.left == 40

    await eventually(settled)
