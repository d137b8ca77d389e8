"""The fast path of early claims gives the answers of the full one, and forgets what it verified when keys change."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from tests.fixtures.intake import Intake, Serve
from tests.fixtures.visitors import Visitor, open_room
from tests.fixtures.waiting import eventually

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
    ways = "application/json", "application/json; charset=utf-8"
    short, long = [await claim(bob, media) for media in ways]
    assert short.status_code == long.status_code == 202
    assert set(short.headers) == set(long.headers) - {"x-request-id"}, "what is answered at hand has no id"
    assert short.headers["Cache-Control"] == long.headers["Cache-Control"] == "no-store"
    assert short.headers["Content-Type"] == long.headers["Content-Type"]
    assert short.json() | {"retry_after_s": 0} == long.json() | {"retry_after_s": 0}
    assert int(short.headers["Retry-After"]) >= 1
    for changes in ({"secret": "wrong"}, {"ticket": bob.ticket[:-1] + "!"}, {"ticket": "t1.x.y.z"}):
        answers = [await claim(bob, media, **changes) for media in ways]
        assert [answer.json()["code"] for answer in answers] == ["ticket_invalid"] * 2


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
