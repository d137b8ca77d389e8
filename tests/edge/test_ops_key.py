"""Ops keys are not to be guessed at speed, and a stranger who tries locks nobody out."""

from __future__ import annotations

import httpx
import pytest

from tests.fixtures.intake import Intake, Serve

pytestmark = pytest.mark.usefixtures("no_try_earned")
PATH = "/ops/sales"


def wrong(address: str = "") -> dict[str, str]:
    return {"Authorization": "Bearer wrong-key-of-ops-1"} | ({"X-Forwarded-For": address} if address else {})


def said(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


async def test_wrong_keys_of_an_address_are_heard_no_more(serve: Serve) -> None:
    intake = await serve(trusted_proxies="127.0.0.1/32", ops_tries_per_address=3)
    told = [said(await intake.http.get(PATH, headers=wrong("203.0.113.7"))) for _ in range(5)]
    assert told == [(401, "ops_key_required")] * 3 + [(429, "rate_limited")] * 2
    # A right key is not told apart from a wrong one any more: to guess on is of no use.
    right = await intake.ops.get(PATH, headers={"X-Forwarded-For": "203.0.113.7:4711"})
    assert said(right) == (429, "rate_limited")
    assert 1 <= int(right.headers["Retry-After"]) <= 20
    assert (await intake.ops.get(PATH, headers={"X-Forwarded-For": "203.0.113.8"})).status_code == 200


async def test_a_home_of_many_addresses_is_counted_by_its_prefixes(serve: Serve) -> None:
    intake = await serve(trusted_proxies="127.0.0.1/32", ops_tries_per_address=1)
    told = [said(await intake.http.get(PATH, headers=wrong(f"2001:db8:7:{n:x}::1")))[0] for n in range(10)]
    assert told == [401] * 2 + [429] * 8


async def test_a_stranger_on_this_machine_locks_nobody_out(serve: Serve) -> None:
    intake = await serve(ops_tries_per_address=3)
    told = [said(await intake.http.get(PATH, headers=wrong()))[0] for _ in range(5)]
    assert told == [401] * 3 + [429] * 2
    assert (await intake.ops.get(PATH)).status_code == 200


async def test_a_call_without_any_key_is_no_try(serve: Serve) -> None:
    intake = await serve(ops_tries_per_address=1)
    assert [said(await intake.http.get(PATH))[0] for _ in range(5)] == [401] * 5


async def test_the_inside_of_a_public_process_is_no_way_to_guess(serve: Serve) -> None:
    intake: Intake = await serve("public", trusted_proxies="127.0.0.1/32", ops_tries_per_address=2)
    for _ in range(3):
        assert (await intake.http.get("/readyz", headers=wrong("203.0.113.7"))).status_code == 404
    assert (await intake.ops.get("/readyz", headers={"X-Forwarded-For": "203.0.113.7"})).status_code == 404
    assert (await intake.ops.get("/readyz", headers={"X-Forwarded-For": "203.0.113.8"})).status_code == 200
