"""The fast path of joins and claims gives the answers of the full one, and forgets tickets when keys change."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from db.connections.pool import Connection
from tests.fixtures.intake import Intake, Serve
from tests.fixtures.proxy import Proxy
from tests.fixtures.visitors import Visitor, hashed, open_room
from tests.fixtures.waiting import eventually

JOIN, CLAIM = "/sales/sale/room/tickets", "/sales/sale/room/admissions"
SLOW = {"rate_per_s": 0.001, "burst": 1}
OLD, NEW = "old:" + "o" * 16, "new:" + "n" * 16


async def queued(intake: Intake) -> Visitor:
    """Return a visitor whom everybody knows to be waiting."""
    await open_room(intake, room=SLOW)
    ann, bob = Visitor(intake, "sale", "ann"), Visitor(intake, "sale", "bob")
    await ann.join()
    await bob.join()

    async def behind() -> bool:
        document = await intake.http.get("/sales/sale/room")
        return bool(document.json()["tail"] == 2)

    await eventually(behind)
    return bob


async def claim(visitor: Visitor, media: str, **changes: str) -> httpx.Response:
    body = {"ticket": visitor.ticket, "secret": visitor.secret} | changes
    path = "/sales/sale/room/admissions"
    content = httpx.Request("POST", "http://x", json=body).content
    return await visitor.intake.http.post(path, content=content, headers={"Content-Type": media})


async def test_both_ways_answer_the_same(roomy: Intake) -> None:
    bob = await queued(roomy)

    async def in_one_tick() -> list[httpx.Response]:
        """Claim both ways: how long it takes changes with each tick, and one may come between the two."""
        short, long, again = [await claim(bob, media) for media in (*WAYS, WAYS[0])]
        return [short, long] if _told(short) == _told(again) else []

    short, long = await eventually(in_one_tick, what="no tick between two claims")
    assert short.status_code == long.status_code == 202
    assert set(short.headers) == set(long.headers) - {"x-request-id"}, "what is answered at hand has no id"
    assert short.headers["Cache-Control"] == long.headers["Cache-Control"] == "no-store"
    assert short.headers["Content-Type"] == long.headers["Content-Type"]
    assert _told(short) == _told(long)
    assert int(short.headers["Retry-After"]) >= 1
    for changes in ({"secret": "wrong"}, {"ticket": bob.ticket[:-1] + "!"}, {"ticket": "t1.x.y.z"}):
        answers = [await claim(bob, media, **changes) for media in WAYS]
        assert [answer.json()["code"] for answer in answers] == ["ticket_invalid"] * 2


def _told(answer: httpx.Response) -> dict[str, Any]:
    """Return what is told but for what is drawn anew each time."""
    return answer.json() | {"retry_after_s": 0}


async def test_an_early_claim_needs_no_request_in_work_and_other_origins_are_told_as_ever(
    serve: Serve, room_redis_url: str
) -> None:
    intake = await serve(room_redis_url=room_redis_url, cors_origins="https://shop.example")
    bob = await queued(intake)
    body = httpx.Request("POST", "http://x", json={"ticket": bob.ticket, "secret": bob.secret}).content
    for origin in ("https://shop.example", "https://other.example", None):
        answers = []
        for media in ("application/json", "application/json; charset=utf-8"):
            headers = {"Content-Type": media} | ({"Origin": origin} if origin else {})
            answers.append(await intake.http.post("/sales/sale/room/admissions", content=body, headers=headers))
        short, long = answers
        assert short.status_code == long.status_code == 202
        assert set(short.headers) == set(long.headers) - {"x-request-id"}
        for name in set(short.headers) - {"retry-after", "content-length", "date"}:
            assert short.headers[name] == long.headers[name], name


async def test_what_comes_in_one_piece_takes_neither_scope_nor_task(
    roomy: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = await queued(roomy)
    monkeypatch.setattr(roomy.guard, "_within_limits", None)
    assert (await claim(bob, "application/json")).status_code == 202


WAYS = "application/json", "application/json; charset=utf-8"
"""The first of which is plain."""


def at(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


async def both(intake: Intake, path: str, body: dict[str, Any], **headers: str) -> list[httpx.Response]:
    """Post the same the fast way and the full one."""
    content = httpx.Request("POST", "http://x", json=body).content
    return [await intake.http.post(path, content=content, headers={"Content-Type": way} | headers) for way in WAYS]


def assert_alike(short: httpx.Response, long: httpx.Response) -> None:
    assert short.status_code == long.status_code, (short.text, long.text)
    assert set(short.headers) == set(long.headers), "the request's id among them"
    for name in set(short.headers) - {"date", "content-length", "x-request-id"}:
        assert short.headers[name] == long.headers[name], name
    told = [answer.json() | {"instance": "", "expires_at": "", "admission": ""} for answer in (short, long)]
    assert told[0] == told[1]


async def test_joins_and_admissions_are_answered_the_same_both_ways(serve: Serve, room_redis_url: str) -> None:
    intake = await serve(room_redis_url=room_redis_url, cors_origins="https://shop.example")
    await open_room(intake)
    ann = Visitor(intake, "sale", "ann")
    body = {"visitor_id": "visitor-ann", "secret_hash": hashed(ann.secret)}
    for origin in ({}, {"Origin": "https://shop.example"}, {"Origin": "https://other.example"}):
        assert_alike(*await both(intake, JOIN, body, **origin))
    ann.ticket = (await ann.join()).json()["ticket"]
    for origin in ({}, {"Origin": "https://shop.example"}):
        short, long = await both(intake, CLAIM, {"ticket": ann.ticket, "secret": ann.secret}, **origin)
        assert short.status_code == 200
        assert_alike(short, long)
    named = await both(intake, JOIN, body, **{"X-Request-Id": "mine"})
    assert [answer.headers["x-request-id"] for answer in named] == ["mine", "mine"]


async def test_refusals_are_the_same_both_ways(serve: Serve, room_redis_url: str) -> None:
    intake = await serve(
        room_redis_url=room_redis_url, room_joins_per_customer=1, storefront_keys="", trusted_proxies="127.0.0.0/8"
    )
    await open_room(intake, room={"rate_per_s": 1000, "burst": 1000, "waiting_max": 10})
    body = {"visitor_id": "visitor-ann", "secret_hash": hashed("hers")}
    assert (await both(intake, JOIN, body))[0].status_code == 201
    began = time.monotonic()
    for wrong in (
        body | {"secret_hash": hashed("another")},
        body | {"secret_hash": "no hash"},
        body | {"visitor_id": ""},
        body | {"access_code": "none"},
        body | {"customer_id": "eve"},  # whose one join in a minute was the first of these
        {},
    ):
        short, long = await both(intake, JOIN, wrong)
        if short.json()["code"] != long.json()["code"]:  # the second is one too many
            assert (short.json()["code"], long.json()["code"]) == ("place_conflict", "rate_limited")
            short, long = await both(intake, JOIN, wrong)
            assert short.json()["code"] == "rate_limited"
            passed_s = time.monotonic() - began
            assert -1 <= int(short.headers["Retry-After"]) - int(long.headers["Retry-After"]) <= 1 + passed_s
            assert set(short.headers) == set(long.headers)
        else:
            assert short.status_code >= 400
            assert_alike(short, long)


async def test_what_is_refused_to_a_person_is_a_page(roomy: Intake) -> None:
    await open_room(roomy)
    body = {"visitor_id": "visitor-ann", "secret_hash": hashed("hers")}
    assert (await both(roomy, JOIN, body))[0].status_code == 201
    answers = await both(roomy, JOIN, body | {"secret_hash": hashed("another")}, Accept="text/html")
    assert [answer.headers["content-type"].partition(";")[0] for answer in answers] == ["text/html", "text/html"]


async def test_a_room_whose_store_is_gone_is_told_so_both_ways(serve: Serve, room_redis_url: str) -> None:
    with Proxy(room_redis_url) as line:
        intake = await serve(room_redis_url=line.url, store_timeout_s=2)
        await open_room(intake)
        ann = Visitor(intake, "sale", "ann")
        await ann.join()
        line.cut()  # the state at hand is still one to decide by
        joins = {"visitor_id": "visitor-bob", "secret_hash": hashed("his")}
        for path, sent in ((JOIN, joins), (CLAIM, {"ticket": ann.ticket, "secret": ann.secret})):
            short, long = await both(intake, path, sent)
            assert short.status_code == long.status_code == 503
            assert short.json()["code"] == long.json()["code"] == "store_unavailable"
            assert set(short.headers) == set(long.headers)


async def test_a_finished_admission_of_which_postgres_fails_to_tell_is_told_so_both_ways(
    roomy: Intake, db: Connection
) -> None:
    await open_room(roomy)
    ann = Visitor(roomy, "sale", "ann")
    await ann.join()
    assert (await ann.order(await ann.admitted(), "k")).status_code == 202

    async def finished() -> bool:
        answer = await ann.claim()
        return answer.status_code == 410 and answer.json()["code"] == "admission_finished"

    await eventually(finished)
    await db.execute("alter table orders rename to orders_elsewhere")
    try:

        async def failed() -> bool:  # what Postgres said last is believed for a moment
            return (await ann.claim()).status_code != 410

        await eventually(failed)
        short, long = await both(roomy, CLAIM, {"ticket": ann.ticket, "secret": ann.secret})
    finally:
        await db.execute("alter table orders_elsewhere rename to orders")
    assert_alike(short, long)
    assert (short.status_code, short.json()["code"]) == (503, "store_unavailable")


async def test_joins_and_admissions_take_neither_scope_nor_task(roomy: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    await open_room(roomy)
    ann, bob = Visitor(roomy, "sale", "ann"), Visitor(roomy, "sale", "bob")
    await ann.join()
    monkeypatch.setattr(roomy.guard, "_within_limits", None)
    assert (await bob.join()).status_code == 201
    assert [(await one.claim()).status_code for one in (ann, bob)] == [200, 200]


async def test_a_place_drawn_in_the_lobby_is_given_again_and_claimed_though_it_has_to_be_reckoned(
    roomy: Intake,
) -> None:
    terms = {"lobby_opens_at": at(-60), "beacon": "b", "rate_per_s": 1000, "burst": 1000}
    await open_room(roomy, room=terms, starts_at=at(3600))
    crowd = [Visitor(roomy, "sale", f"v{number}") for number in range(6)]
    first = [(await one.join()).json()["number"] for one in crowd]
    (await roomy.ops.patch("/ops/sales/sale", json={"starts_at": at(0.5)})).raise_for_status()

    async def drawn() -> bool:
        return bool((await roomy.http.get("/sales/sale/room")).json()["seed"])

    await eventually(drawn)
    assert [(await one.join()).json()["number"] for one in crowd] == first
    assert all([await one.admitted() for one in crowd])


async def test_a_crowd_that_claims_at_once_is_let_in_as_far_as_the_caps_go(roomy: Intake) -> None:
    await open_room(roomy, room={"rate_per_s": 1000, "burst": 1000, "max_active": 7})
    crowd = [Visitor(roomy, "sale", f"v{number}") for number in range(60)]
    await asyncio.gather(*(one.join() for one in crowd))
    assert sorted(one.number for one in crowd) == list(range(1, 61))
    answers = [answer for _ in range(3) for answer in await asyncio.gather(*(one.claim() for one in crowd))]
    admitted = {answer.json()["admission"] for answer in answers if answer.status_code == 200}
    assert {answer.status_code for answer in answers} == {200, 202}
    assert len(admitted) == 7


async def test_a_ticket_of_a_dropped_key_is_refused_though_it_was_verified(
    serve: Serve, room_redis_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "keys"
    file.write_text(OLD)
    intake = await serve(room_redis_url=room_redis_url, room_keys=None, room_keys_file=file)
    bob = await queued(intake)
    assert (await claim(bob, "application/json")).status_code == 202
    await asyncio.to_thread(file.write_text, NEW)

    async def refused() -> bool:
        answer = await claim(bob, "application/json")
        return answer.status_code == 403 and answer.json()["code"] == "ticket_invalid"

    await eventually(refused)
