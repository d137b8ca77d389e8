"""Access codes are not to be guessed: who has used the limits up learns of no code whether it is right."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from tests.fixtures.intake import Serve
from tests.fixtures.visitors import Visitor, open_room

pytestmark = pytest.mark.usefixtures("no_try_earned")
CODE = "k3vQ9xW2mZ7p"
Guess = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
def guessing(serve: Serve, room_redis_url: str) -> Callable[..., Awaitable[Guess]]:
    async def start(**limits: Any) -> Guess:
        intake = await serve(room_redis_url=room_redis_url, trusted_proxies="127.0.0.1/32", **limits)
        await open_room(intake, room={"rate_per_s": 100, "burst": 100, "access_codes": [{"code": CODE, "quota": 100}]})
        tries = iter(range(10_000))

        async def guess(code: str, address: str = "") -> httpx.Response:
            headers = {"X-Forwarded-For": address} if address else {}
            return await Visitor(intake, "sale", f"guess-{next(tries)}").join(access_code=code, headers=headers)

        return guess

    return start


def said(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "joined")


async def test_out_of_joins_right_and_wrong_codes_are_answered_alike(
    guessing: Callable[..., Awaitable[Guess]],
) -> None:
    guess = await guessing(room_joins_per_address=20)
    assert said(await guess(CODE, "203.0.113.7")) == (201, "joined")
    wrong = [said(await guess("wrong-code-xx", "203.0.113.7")) for _ in range(3)]
    assert wrong == [(403, "code_invalid")] * 2 + [(429, "rate_limited")]
    assert said(await guess(CODE, "203.0.113.7:4711")) == (429, "rate_limited")
    assert said(await guess(CODE, "203.0.113.8")) == (201, "joined")


async def test_a_home_with_many_addresses_is_counted_as_one_or_few(guessing: Callable[..., Awaitable[Guess]]) -> None:
    guess = await guessing(room_joins_per_address=1, room_wrong_codes_per_sale=1000)
    answers = [said(await guess("wrong-code-xx", f"2001:db8:7:{n:x}::1")) for n in range(20)]
    assert answers == [(403, "code_invalid")] + [(429, "rate_limited")] * 19


async def test_a_sale_counts_wrong_codes_of_all_addresses(guessing: Callable[..., Awaitable[Guess]]) -> None:
    guess = await guessing(room_wrong_codes_per_sale=5, room_joins_per_address=0)
    wrong = [said(await guess("wrong-code-xx", f"203.0.113.{n}")) for n in range(6)]
    assert wrong == [(403, "code_invalid")] * 5 + [(429, "rate_limited")]
    assert said(await guess(CODE, "198.51.100.1")) == (429, "rate_limited")
    assert said(await guess(CODE)) == (429, "rate_limited")


async def test_right_codes_use_up_no_tries_of_the_sale(guessing: Callable[..., Awaitable[Guess]]) -> None:
    guess = await guessing(room_wrong_codes_per_sale=1)
    assert {said(await guess(CODE, f"203.0.113.{n}")) for n in range(10)} == {(201, "joined")}


async def test_a_code_that_could_be_guessed_is_refused(serve: Serve, room_redis_url: str) -> None:
    intake = await serve(room_redis_url=room_redis_url)
    await intake.make_product()
    body = {"sale_id": "s", "products": [{"product_id": "hot"}], "room": {"mode": "always"}}
    body["room"] |= {"access_codes": [{"code": "elevenchars", "quota": 1}]}  # type: ignore[operator]
    refused = await intake.ops.post("/ops/sales", json=body)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "room.access_codes[0].code"
