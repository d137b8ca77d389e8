"""A partition's backlog is bounded in bytes, whichever of several intakes takes the orders."""

from __future__ import annotations

import asyncio
import re

from redis.asyncio import Redis

from doorbuster import keys
from doorbuster.orderstore.entry import FIELD
from tests.fixtures.intake import Intake, Serve

MIB = 2**20
LARGE = {"note": "x" * 14_000}
ORDERS = 100


async def taken_by_two(serve: Serve, redis: Redis, *, most_mb: int) -> tuple[int, list[int], Intake]:
    """Post large orders at two intakes at once; return bytes in the stream, the statuses and one of the two."""
    first, second = await serve(backlog_max_mb=most_mb), await serve(backlog_max_mb=most_mb)
    sale = await first.open_sale()
    posts = [(first, second)[n % 2].post("sale", key=f"k{n}", metadata=LARGE) for n in range(ORDERS)]
    answers = await asyncio.gather(*posts)
    assert {answer.json()["code"] for answer in answers if answer.status_code == 503} <= {"overloaded"}
    entries = await redis.xrange(keys.stream(sale["sale_number"], 0))
    return sum(len(fields[FIELD]) for _, fields in entries), [answer.status_code for answer in answers], first


async def test_two_intakes_together_keep_the_bound(serve: Serve, orders_redis: Redis) -> None:
    held, statuses, intake = await taken_by_two(serve, orders_redis, most_mb=1)
    assert MIB - 15_000 < held <= MIB
    assert 0 < statuses.count(202) < ORDERS
    assert set(statuses) == {202, 503}
    known = statuses.index(202)
    assert (await intake.post("sale", key=f"k{known}", metadata=LARGE)).status_code == 202  # a retry replays
    said = re.search(
        r'doorbuster_backlog_bytes\{partition="0",sale="sale"\} (\S+)', (await intake.ops.get("/metrics")).text
    )
    assert said is not None
    assert float(said[1]) == held


async def test_without_it_they_take_more(serve: Serve, orders_redis: Redis) -> None:
    held, statuses, _ = await taken_by_two(serve, orders_redis, most_mb=64)
    assert held > MIB
    assert set(statuses) == {202}
