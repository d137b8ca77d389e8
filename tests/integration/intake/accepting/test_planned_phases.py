"""The accept script by a sale's plan: it picks the phase by its own clock, with nobody there to change the gate."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from doorbuster import keys
from doorbuster.lua_script import Script
from doorbuster.orderstore import accept
from doorbuster.orderstore.accept import AcceptScript, Candidate, Link, Terms
from doorbuster.orderstore.gate import Gate, phase_at, publish
from doorbuster.redis_clients import accept_client
from intake.accepting import verdicts

SALE, PARTITION = 7, 0
TERMS = Terms(
    ttl_ms=60_000, backlog_max=1000, backlog_max_bytes=2**20, batch_max=100, replicas=0, replica_wait_ms=0, timeout_s=5
)
ROOMY = replace(TERMS, backlog_max=1_000_000, backlog_max_bytes=2**30)
"""However fast the machine is, nothing is refused for what waits."""
SAID = {"open": verdicts.NEW, "hold": verdicts.HOLD, "drain": verdicts.CLOSED, "closed": verdicts.CLOSED}


NAMES = keys.gate(SALE, PARTITION), keys.stream(SALE, PARTITION)
PHASES = st.sampled_from(["open", "hold", "drain", "closed"])
FAR_MS = 600_000


def gate(version: int, phase: str, *changes: tuple[int, str]) -> Gate:
    return Gate(
        sale_number=SALE, partition=PARTITION, version=version, phase=phase, opens_ms=0, closes_ms=0, epoch=1,
        changes=changes,
    )  # fmt: skip


def order(number: int) -> Candidate:
    key = keys.accepted(SALE, PARTITION, f"{number:032x}")
    return Candidate(key, b"f" * 16, b"an entry", None, lambda _order, _verdict: None)


async def store_ms(redis: Redis) -> int:
    seconds, micros = await redis.time()
    return int(seconds * 1000 + micros // 1000)


async def verdicts_of(url: str, plans: list[tuple[str, list[tuple[int, str]]]]) -> None:
    """Publish one gate after another, each with changes around now, and hold the script against the pure function."""
    async with accept_client(url, timeout_s=5) as redis:
        await redis.flushall()
        link = Link(AcceptScript(redis, TERMS), NAMES)
        try:
            for version, (phase, offsets) in enumerate(plans, 1):
                now_ms = await store_ms(redis)
                shown = gate(version, phase, *((now_ms + offset, named) for offset, named in offsets))
                await publish(redis, shown)
                (said,) = await link.run([order(version)])
                assert said[:1] == SAID[phase_at(shown, now_ms)], shown
        finally:
            await link.close()


# Never so near that the clock passes one meanwhile.
OFFSETS = st.lists(st.integers(-FAR_MS, FAR_MS).filter(lambda ms: not 0 < ms < 30_000), max_size=6, unique=True)
PLANS = st.lists(
    st.tuples(
        PHASES, OFFSETS.map(sorted).flatmap(lambda at: st.tuples(*(st.tuples(st.just(ms), PHASES) for ms in at)))
    ),
    min_size=1,
    max_size=5,
).map(lambda plans: [(phase, list(changes)) for phase, changes in plans])


def test_the_script_picks_the_phase_that_the_pure_function_does(orders_redis_url: str) -> None:
    @settings(max_examples=40, deadline=None)
    @given(PLANS)
    def alike(plans: list[tuple[str, list[tuple[int, str]]]]) -> None:
        asyncio.run(verdicts_of(orders_redis_url, plans))

    alike()


def test_without_the_plan_in_the_script_this_would_be_seen(
    orders_redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Path(accept.__file__).with_name("scripts") / "accept.lua"
    blind = source.read_text().replace("if gate[10] then", "if false then")
    assert blind != source.read_text()
    monkeypatch.setattr(accept, "_accept", Script(blind))
    with pytest.raises(AssertionError):
        asyncio.run(verdicts_of(orders_redis_url, [("open", [(-1000, "hold")])]))


async def test_orders_stop_at_the_moment_and_go_on_with_nobody_changing_the_gate(orders_redis_url: str) -> None:
    """No order is accepted in the hold window, by the ids that the store gave: its clock, to the millisecond."""
    window_ms, unseen = 300, True
    while unseen:  # a machine that gives the test no turn for a whole window has seen nothing of it: a longer one
        assert window_ms <= 5_000, "no window was seen from before it until after it"
        said, hold, resume = await verdicts_around_a_hold(orders_redis_url, window_ms)
        assert {verdict for verdict, _ in said} <= {verdicts.NEW, verdicts.HOLD}
        assert not [at for _, at in said if at is not None and hold <= at < resume]
        assert said[-1][0] == verdicts.NEW
        unseen = said[0][0] != verdicts.NEW or verdicts.HOLD not in {verdict for verdict, _ in said}
        window_ms *= 4


async def verdicts_around_a_hold(url: str, window_ms: int) -> tuple[list[tuple[bytes, int | None]], int, int]:
    """Post orders through a planned hold, until one is accepted after it.

    Return their verdicts, each with the store's time of the entry if there is one, and the ends of the hold.
    """
    said: list[tuple[bytes, int | None]] = []
    async with accept_client(url, timeout_s=5) as redis:
        await redis.flushall()
        link = Link(AcceptScript(redis, ROOMY), NAMES)
        hold = await store_ms(redis) + window_ms
        resume = hold + window_ms
        await publish(redis, gate(1, "open", (hold, "hold"), (resume, "open")))
        last_ms = 0
        while last_ms < resume:
            asked_ms = await store_ms(redis)
            (verdict,) = await link.run([order(len(said))])
            last_ms = int(verdict[1:].partition(b"-")[0]) if verdict[:1] == verdicts.NEW else 0
            said.append((verdict[:1], last_ms or None))
            assert asked_ms < resume or last_ms, f"{verdict!r} after the hold"
        await link.close()
        entries: Any = await redis.xrange(NAMES[1])
    stored = [int(entry_id.partition(b"-")[0]) for entry_id, _ in entries]
    assert stored == [at for _, at in said if at is not None]
    return said, hold, resume


async def test_a_gate_without_a_plan_has_no_field_for_one(orders_redis_url: str) -> None:
    async with accept_client(orders_redis_url, timeout_s=5) as redis:
        await redis.flushall()
        await publish(redis, gate(1, "open"))
        assert not await redis.hexists(NAMES[0], "changes")
        await publish(redis, gate(2, "open", (1, "hold")))
        assert await redis.hget(NAMES[0], "changes") == b"1:hold"
        await publish(redis, gate(3, "open"))
        assert not await redis.hexists(NAMES[0], "changes")


async def test_the_stores_clock_decides_and_no_other(orders_redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store whose clock is an hour ahead is in a hold that comes in half an hour for everybody else."""
    async with accept_client(orders_redis_url, timeout_s=5) as redis:
        await redis.flushall()
        link = Link(AcceptScript(redis, TERMS), NAMES)
        await publish(redis, gate(1, "open", (await store_ms(redis) + 1_800_000, "hold")))
        (said,) = await link.run([order(1)])
        assert said[:1] == verdicts.NEW
        ahead = accept._accept.source.replace("clock[1] * 1000", "(clock[1] + 3600) * 1000")
        assert ahead != accept._accept.source
        monkeypatch.setattr(accept, "_accept", Script(ahead))
        (said,) = await link.run([order(2)])
        assert said[:1] == verdicts.HOLD
        await link.close()
