"""A slow room before a crowd that asks as it is told, while the intake stands still again and again (SIGSTOP).

The figure, on a quiet machine, is at least 0.97 of the rate; other work on the machine stalls more than is owed.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest
from redis.asyncio import Redis

from doorbuster.contract.room import RoomRequest
from loadtests.bench.shop import HOT, open_sale
from loadtests.generate.catalogue import write
from loadtests.scene.system import System, running
from loadtests.traffic.crew import carry_out
from loadtests.traffic.plan import Mix, Plan, Way
from tests.fixtures.pausing import paused
from waitingroom.records import visits

pytestmark = pytest.mark.soak
RATE, BURST = 20, 5
SECONDS, COMING_S, SETTLED_MS = 40.0, 2.0, 5_000
STALL_S, EVERY_S = 0.5, 2.0


def breaches(admitted_ms: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return windows, from one admission to another, with more than docs/adr/0032 allows."""
    found = []
    for i, first in enumerate(admitted_ms):
        for j, last in enumerate(admitted_ms[i:], i):
            earned = RATE * (last - first) / 1000
            if j - i + 1 > BURST + earned + min(RATE - BURST, earned) + 0.1:
                found.append((first, last, j - i + 1))
    return found


async def stall(system: System) -> None:
    intake = system.ready.pids["intake"]
    masters = [intake] if isinstance(intake, int) else intake or []
    workers = [child.pid for pid in masters for child in psutil.Process(pid).children()]
    assert workers
    while True:
        await asyncio.sleep(EVERY_S - STALL_S)
        with paused(*workers):
            await asyncio.sleep(STALL_S)


@pytest.mark.parametrize("stalls", [False, True])
async def test_a_slow_room_uses_its_rate(scratch: Path, stalls: bool, capsys: pytest.CaptureFixture[str]) -> None:
    write([HOT], scratch / "catalogue.jsonl")
    async with running(scratch / "data", workers=1) as system:
        await system.import_catalogue(scratch / "catalogue.jsonl")
        await open_sale(system, "slow", RoomRequest(mode="always", rate_per_s=RATE, burst=BURST))
        crowd = int(RATE * SECONDS * 1.3)
        plan = Plan(
            base=system.ready.base,
            mix=Mix(products=[HOT.product_id], weights=[1.0], path="/sales/slow/orders", prefix="slow"),
            arrivals=array("d", (n * COMING_S / crowd for n in range(crowd))).tobytes(),
            connections=64, seconds=SECONDS, room=Way(base="/sales/slow/room"), keep_ids=False,
        )  # fmt: skip
        stalling = asyncio.create_task(stall(system)) if stalls else None
        await carry_out(plan)
        if stalling is not None:
            stalling.cancel()
            await asyncio.wait([stalling])
        async with Redis.from_url(system.ready.urls["room_redis"]) as store:
            found = await visits.read(store, 1, timeout_s=10.0)
    assert found is not None
    admitted = sorted(one.admitted_ms for one in found.visits if one.admitted_ms is not None)
    settled = [one for one in admitted if one >= admitted[0] + SETTLED_MS]
    used = (len(settled) - 1) / RATE / ((settled[-1] - settled[0]) / 1000)
    with capsys.disabled():
        print(f"\n{len(admitted)} let in, {used:.3f} of the rate used, stalls: {stalls}")
    assert breaches(admitted) == []
    assert used >= 0.75, "before, 0.73 was the most, with nothing else to do"
