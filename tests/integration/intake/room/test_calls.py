"""The waiting room over HTTP: joining, waiting, claiming, ordering, leaving, as a storefront's program does it."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from tests.fixtures.intake import Intake, Serve
from tests.fixtures.visitors import Visitor, hashed, open_room
from tests.fixtures.waiting import eventually
from waitingroom.room import RoomConfig
from waitingroom.room_store import Room
from waitingroom.shuffle import commitment, place_of, seed_of

SLOW = {"rate_per_s": 0.001, "burst": 1}


def at(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


async def status(intake: Intake, sale: str = "sale") -> dict[str, Any]:
    answer = await intake.http.get(f"/sales/{sale}/room")
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


async def test_the_whole_way(roomy: Intake) -> None:
    await open_room(roomy)
    ann = Visitor(roomy, "sale", "ann")
    joined = await ann.join()
    assert joined.status_code == 201, joined.text
    assert joined.json()["number"] == 1
    assert (await ann.join()).json() == joined.json()
    admission = await ann.admitted()
    assert await ann.admitted() == admission
    accepted = await ann.order(admission, "one")
    assert accepted.status_code == 202, accepted.text
    replayed = await ann.order(admission, "one")
    assert replayed.headers["Idempotency-Replayed"] == "true"
    assert replayed.json() == accepted.json()
    second = await ann.order(admission, "two")
    assert (second.status_code, second.json()["code"]) == (409, "admission_spent")


async def test_a_placed_order_gives_its_slot_back(roomy: Intake) -> None:
    await open_room(roomy, room={"max_active": 1})
    ann, bob = Visitor(roomy, "sale", "ann"), Visitor(roomy, "sale", "bob")
    await ann.join()
    await bob.join()
    admission = await ann.admitted()
    assert (await bob.claim()).status_code == 202
    assert (await ann.order(admission, "one")).status_code == 202
    assert await bob.admitted()
    finished = await ann.claim()
    assert (finished.status_code, finished.json()["code"]) == (410, "admission_finished")


async def test_orders_without_a_good_admission_are_shown_the_room(roomy: Intake, room_redis: Redis) -> None:
    await open_room(roomy)
    await open_room(roomy, "other")
    ann = Visitor(roomy, "other", "ann")
    await ann.join()
    foreign = await ann.admitted()
    began = time.monotonic()
    before = await commands(room_redis)
    without = await roomy.post("sale")
    assert (without.status_code, without.json()["code"]) == (401, "admission_required")
    assert without.json()["room"] == "/sales/sale/wait"
    assert without.headers["Link"] == '</sales/sale/wait>; rel="waiting-room"'
    altered = foreign[:-3] + ("AAA" if foreign[-3:] != "AAA" else "BBB")
    for token in (foreign, altered, "x", "a1.0..", "é"):
        refused = await ann.intake.http.post(
            "/sales/sale/orders",
            json={"customer_id": "c", "lines": [{"product_id": "hot", "quantity": 1}]},
            headers=[(b"Idempotency-Key", b"k"), (b"Authorization", b"Bearer " + token.encode())],
        )
        assert (refused.status_code, refused.json()["code"]) == (403, "admission_invalid"), token
    spent = await commands(room_redis) - before
    assert spent["evalsha"] <= 2 * (time.monotonic() - began + 2), spent  # the two rooms' own ticks, one a second


async def test_an_admission_runs_out(roomy: Intake) -> None:
    await open_room(roomy, room={"admission_s": 1})
    ann = Visitor(roomy, "sale", "ann")
    await ann.join()
    admission = await ann.admitted()

    async def expired() -> bool:
        answer = await ann.order(admission, "never", lines=[{"product_id": "hot", "quantity": 0}])
        assert answer.status_code == 422  # reading comes first
        answer = await roomy.http.post(
            "/sales/sale/orders",
            json={"customer_id": "c", "lines": [{"product_id": "none", "quantity": 1}]},
            headers={"Idempotency-Key": "k", "Authorization": f"Bearer {admission}"},
        )
        return answer.status_code == 401 and answer.json()["code"] == "admission_expired"

    await eventually(expired)


async def test_another_secret_takes_nobodys_place(roomy: Intake) -> None:
    await open_room(roomy, room=SLOW)
    ann = Visitor(roomy, "sale", "ann")
    await ann.join()
    thief = await ann.join(secret_hash=hashed("another"))
    assert (thief.status_code, thief.json()["code"]) == (409, "place_conflict")
    for call in (ann.claim("wrong"), ann.leave("wrong")):
        refused = await call
        assert (refused.status_code, refused.json()["code"]) == (403, "ticket_invalid")


async def commands(redis: Redis) -> Counter[str]:
    raw: dict[str, Any] = await redis.info("commandstats")
    return Counter({name.removeprefix("cmdstat_"): stat["calls"] for name, stat in raw.items()})


async def test_waiting_costs_no_command(roomy: Intake, room_redis: Redis) -> None:
    await open_room(roomy, room=SLOW)
    crowd = [Visitor(roomy, "sale", f"v{n}") for n in range(30)]
    for one in crowd:
        await one.join()

    async def seen() -> bool:
        return bool((await status(roomy))["tail"] == 30)

    await eventually(seen)
    began = time.monotonic()
    before = await commands(room_redis)
    for _ in range(5):
        answers = await asyncio.gather(*(one.claim() for one in crowd))
        documents = await asyncio.gather(*(roomy.http.get("/sales/sale/room") for _ in crowd))
        assert {one.status_code for one in answers} == {202}
        assert {one.status_code for one in documents} == {200}
    spent = await commands(room_redis) - before
    took = time.monotonic() - began
    assert spent["evalsha"] <= took + 2, spent  # one tick a second, for whatever number of visitors
    assert spent["eval"] == 0
    waiting = answers[-1].json()
    assert waiting["position"] == 30 - (await status(roomy))["frontier"]
    assert int(answers[-1].headers["Retry-After"]) >= 1


async def test_two_processes_show_the_same(serve: Serve, room_redis_url: str) -> None:
    one, two = await serve(room_redis_url=room_redis_url), await serve(room_redis_url=room_redis_url)
    await open_room(one, room=SLOW)
    tickets = [Visitor(one if n % 2 else two, "sale", f"v{n}") for n in range(20)]
    await asyncio.gather(*(ticket.join() for ticket in tickets))
    assert sorted(ticket.number for ticket in tickets) == list(range(1, 21))

    async def same() -> bool:
        left, right = [await intake.http.get("/sales/sale/room") for intake in (one, two)]
        bodies = [answer.json() | {"at": ""} for answer in (left, right)]
        return bodies[0]["tail"] == 20 and bodies[0] == bodies[1] and left.headers["ETag"] == right.headers["ETag"]

    await eventually(same)
    document = await two.http.get("/sales/sale/room")
    assert document.headers["Cache-Control"] == "public, max-age=1"
    again = await one.http.get("/sales/sale/room", headers={"If-None-Match": document.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_the_lobby_is_drawn_as_committed(roomy: Intake) -> None:
    await open_room(
        roomy, room={"lobby_opens_at": at(-60), "beacon": "b", "rate_per_s": 0.001, "burst": 1}, starts_at=at(3600)
    )
    before = await status(roomy)
    assert (before["phase"], before["secret"], before["seed"], before["cohort"]) == ("lobby", None, None, None)
    crowd = [Visitor(roomy, "sale", f"v{n}") for n in range(12)]
    for one in crowd:
        await one.join()
    waiting = (await crowd[0].claim()).json()
    assert (waiting["position"], waiting["eta_s"], waiting["phase"]) == (None, None, "lobby")
    (await roomy.ops.patch("/ops/sales/sale", json={"starts_at": at(0.5)})).raise_for_status()

    async def drawn() -> dict[str, Any]:
        now = await status(roomy)
        return now if now["secret"] else {}

    after = await eventually(drawn)
    secret = bytes.fromhex(after["secret"])
    assert commitment(secret) == after["commitment"] == before["commitment"]
    assert seed_of(secret, 12, "b").hex() == after["seed"]
    assert after["cohort"] == 12
    places = []
    for one in crowd:
        answer = await one.claim()
        place = answer.json().get("place") or 1  # the first is let in
        assert place == place_of(one.number, 12, bytes.fromhex(after["seed"]))
        places.append(place)
    assert sorted(places) == list(range(1, 13))
    late = Visitor(roomy, "sale", "late")
    assert (await late.join()).json()["number"] == 13


async def test_before_the_lobby_nobody_joins(roomy: Intake) -> None:
    await open_room(roomy, starts_at=at(600), room={"lobby_opens_at": at(300)})
    early = await Visitor(roomy, "sale", "ann").join()
    assert (early.status_code, early.json()["code"]) == (409, "room_not_open")


async def test_access_codes_pass_inside_their_quota(roomy: Intake) -> None:
    await open_room(roomy, room={"rate_per_s": 1, "burst": 5, "access_codes": [{"code": "guest-code-7", "quota": 1}]})

    async def passed() -> dict[str, Any]:  # a room made after its sale's start begins with an empty bucket
        joined = await Visitor(roomy, "sale", "ann").join(access_code="guest-code-7")
        assert joined.status_code == 201, joined.text
        found: dict[str, Any] = joined.json()
        return found if "admission" in found else {}

    found = await eventually(passed)
    assert found["orders_allowed"] == 1
    assert (await Visitor(roomy, "sale", "ann").order(found["admission"], "k")).status_code == 202
    spent = await Visitor(roomy, "sale", "bob").join(access_code="guest-code-7")
    assert (spent.status_code, spent.json()["code"]) == (409, "code_spent")
    wrong = await Visitor(roomy, "sale", "bob").join(access_code="guess")
    assert (wrong.status_code, wrong.json()["code"]) == (403, "code_invalid")


async def test_leaving_lets_the_next_in(roomy: Intake) -> None:
    await open_room(roomy, room={"max_active": 1})
    ann, bob = Visitor(roomy, "sale", "ann"), Visitor(roomy, "sale", "bob")
    await ann.join()
    await ann.admitted()
    await bob.join()
    assert (await ann.leave()).status_code == 204
    assert (await ann.leave()).status_code == 204
    assert await bob.admitted()


async def test_revoked_admissions_order_nothing(roomy: Intake) -> None:
    await open_room(roomy)
    ann = Visitor(roomy, "sale", "ann")
    await ann.join()
    admission = await ann.admitted()
    (await roomy.ops.post("/ops/sales/sale/room/revoke")).raise_for_status()
    refused = await ann.order(admission, "k")
    assert (refused.status_code, refused.json()["code"]) == (403, "admission_invalid")

    async def told() -> bool:
        return (await ann.claim()).status_code == 410

    await eventually(told)
    assert (await ann.claim()).json()["code"] == "admission_revoked"


def _store(redis: Redis, number: int) -> Room:
    return Room(redis, lambda: RoomConfig(sale_number=number, version=0))


async def test_a_safety_net_asks_only_while_it_is_on(roomy: Intake, room_redis: Redis) -> None:
    sale = await open_room(roomy, room={"mode": "safety_net"})
    assert (await roomy.post("sale")).status_code == 202
    room = _store(room_redis, sale["sale_number"])
    await room.set_net(on=True)

    async def closed() -> bool:
        return (await roomy.post("sale")).status_code == 401

    await eventually(closed)
    ann = Visitor(roomy, "sale", "ann")
    await ann.join()
    assert (await ann.order(await ann.admitted(), "k")).status_code == 202
    await room.set_net(on=False)

    async def opened() -> bool:
        return (await roomy.post("sale")).status_code == 202

    await eventually(opened)


async def test_a_place_bound_to_a_customer_is_that_customers(roomy: Intake) -> None:
    await open_room(roomy, partitions=2)
    nobody = await Visitor(roomy, "sale", "ann").join()
    assert (nobody.status_code, nobody.json()["errors"][0]["field"]) == (422, "customer_id")
    ann = Visitor(roomy, "sale", "ann", {"customer_id": "ann"})
    await ann.join()
    admission = await ann.admitted()
    other = await ann.order(admission, "k", customer_id="bob")
    assert (other.status_code, other.json()["code"]) == (403, "admission_invalid")
    assert (await ann.order(admission, "k", customer_id="ann")).status_code == 202


@pytest.mark.parametrize("sale", ["none", "plain"])
async def test_there_is_no_room(roomy: Intake, sale: str) -> None:
    await roomy.open_sale("plain")
    answer = await roomy.http.get(f"/sales/{sale}/room")
    assert answer.status_code == 404
    assert answer.json()["code"] == ("sale_not_found" if sale == "none" else "room_not_found")


async def test_joining_by_proof_of_work(serve: Serve, room_redis_url: str) -> None:
    intake = await serve(room_redis_url=room_redis_url, room_challenge_bits=8)
    await open_room(intake, room={"challenge": "proof_of_work"})
    ann = Visitor(intake, "sale", "ann")
    assert (await ann.join()).json()["code"] == "challenge_failed"
    asked = (await status(intake))["challenge"]
    assert asked["kind"] == "proof_of_work"
    nonce = next(
        n for n in range(1 << 20) if hashlib.sha256(f"{asked['salt']}:visitor-ann:{n}".encode()).digest()[0] == 0
    )
    answer = f"{asked['salt']}:{nonce}"
    assert (await Visitor(intake, "sale", "bob").join(challenge=answer)).json()["code"] == "challenge_failed"
    assert (await ann.join(challenge=answer)).status_code == 201


@pytest.mark.usefixtures("no_try_earned")
async def test_one_address_joins_so_often_and_no_oftener(serve: Serve, room_redis_url: str) -> None:
    intake = await serve(room_redis_url=room_redis_url, trusted_proxies=("127.0.0.0/8",), room_joins_per_address=2)
    await open_room(intake, room=SLOW)

    async def join(name: str, address: str) -> Any:
        return await Visitor(intake, "sale", name).join(headers={"X-Forwarded-For": address})

    assert [(await join(name, "203.0.113.7")).status_code for name in "ab"] == [201, 201]
    refused = await join("c", "203.0.113.7")
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert 1 <= int(refused.headers["Retry-After"]) <= 31
    assert (await join("c", "203.0.113.8")).status_code == 201
    assert (await join("d", "203.0.113.7, 198.51.100.1")).status_code == 201  # what a visitor wrote itself counts not


async def test_a_named_customer_needs_a_storefront_where_keys_are_set(serve: Serve, room_redis_url: str) -> None:
    key = "a-storefront-key-for-tests"
    intake = await serve(room_redis_url=room_redis_url, storefront_keys=key)
    await open_room(intake)
    ann = Visitor(intake, "sale", "ann", {"customer_id": "ann"})
    assert (await ann.join()).json()["code"] == "admission_required"
    assert (await ann.join(headers={"X-Storefront-Key": key})).status_code == 201
    keyed = await intake.post("sale", headers={"X-Storefront-Key": key})
    assert (keyed.status_code, keyed.json()["code"]) == (401, "admission_required")
    assert (await ann.order(await ann.admitted(), "k", customer_id="ann")).status_code == 202


async def test_the_document_is_of_its_type(roomy: Intake) -> None:
    from doorbuster.contract.room import RoomStatus

    await open_room(roomy, room={"message": "Hello", "order_url": "https://shop.example/now"})
    raw = (await roomy.http.get("/sales/sale/room")).content
    assert msgspec.json.decode(raw, type=RoomStatus).message == "Hello"


async def test_ops_see_who_waits_and_what_became_of_them(roomy: Intake) -> None:
    await open_room(roomy, room={"max_active": 1})
    ann, bob, eve = (Visitor(roomy, "sale", name) for name in ("ann", "bob", "eve"))
    for one in (ann, bob, eve):
        await one.join()
    await ann.admitted()
    await eve.leave()

    async def shown() -> bool:
        text = (await roomy.http.get("/metrics")).text
        wanted = (
            '{event="joined",sale="sale"} 3.0',
            '{event="left",sale="sale"} 1.0',
            '{sale="sale",where="active"} 1.0',
        )
        return all(one in text for one in wanted) and 'doorbuster_room_pace{sale="sale"}' in text

    await eventually(shown)
