"""Streams of events: many of them ask Postgres no more often than few do."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from intake.orders.shared_reads import TICKS, SharedLooks, till_tick
from tests.fixtures.intake import Intake
from tests.fixtures.waiting import eventually

pytestmark = pytest.mark.versions

STREAMS = 40


async def test_streams_ask_postgres_together(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    await intake.open_sale()
    placed = [(await intake.post("sale", customer_id=f"c{n}")).headers["Location"] for n in range(STREAMS)]
    asked: list[SharedLooks] = []
    kept = SharedLooks.behind

    async def counted(self: SharedLooks, order_id: UUID, seq: int) -> object:
        asked.append(self)
        return await kept(self, order_id, seq)

    monkeypatch.setattr(SharedLooks, "behind", counted)
    streams = [intake.http.stream("GET", f"{path}/events") for path in placed]
    for stream in streams:  # one after another: at whatever moments
        assert (await stream.__aenter__()).status_code == 200
        await asyncio.sleep(0.01)

    async def asked_again() -> bool:
        return len(asked) >= 6 * STREAMS

    first = asked[0].looks
    await eventually(asked_again)
    # Five more rounds of all streams: at most as many looks as there are moments, and some that opening made.
    assert asked[0].looks - first <= 6 * TICKS + 4
    await asyncio.gather(*(stream.__aexit__(None, None, None) for stream in streams))


def test_every_stream_has_its_moment_and_misses_none() -> None:
    for number in range(8):
        order, now, seen = UUID(int=number), 1000.3, set()
        for _ in range(5):
            away = till_tick(order, now, 1.0)
            assert 0 < away <= 1.0
            now += away
            seen.add(round(now % 1.0, 6) % 1.0)
        assert seen == {number % TICKS / TICKS}
