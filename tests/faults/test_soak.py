"""Kills at random under load, for as long as SOAK_S says (600 seconds): `make soak`."""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import suppress

import psutil
import pytest

from tests.fixtures.accounting import assert_every_202_is_accounted_for
from tests.fixtures.facts import Facts, open_sale
from tests.fixtures.load import Load
from tests.fixtures.up import STORES, Running, Up

PARTS = ("intake", "master", "worker", "horse", "scheduler", *STORES)
ROUND_S = 60.0


def _pids(running: Running, part: str) -> list[int]:
    if part == "master":
        return [psutil.Process(pid).ppid() for pid in running.pids("intake")[:1]]
    if part == "horse":
        return [child.pid for pid in running.pids("worker") for child in psutil.Process(pid).children()]
    return running.pids(part)


def _strike(running: Running, chance: random.Random) -> str:
    part = chance.choice(PARTS)
    number = chance.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGSTOP))
    with suppress(psutil.Error, ProcessLookupError):
        for pid in _pids(running, part):
            os.kill(pid, number)
            if number == signal.SIGSTOP:
                time.sleep(chance.uniform(0, 6))
                os.kill(pid, signal.SIGCONT)
    return f"{number.name} {part}"


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_kills_at_random_lose_nothing(up: Up) -> None:
    seed = int(os.environ.get("SOAK_SEED", time.time_ns() % 2**32))
    chance, ends_at = random.Random(seed), time.monotonic() + float(os.environ.get("SOAK_S", "600"))
    running = up("--intake", "2", "--workers", "3")
    struck: list[str] = []
    while time.monotonic() < ends_at:
        sale = open_sale(running, 100_000, 100_000, 5_000, partitions=chance.choice((1, 1, 2)))
        with Load(running.base, sale.sale_id, sale.products, most=10_000, patience_s=90) as load:
            round_ends_at = min(ends_at, time.monotonic() + ROUND_S)
            while time.monotonic() < round_ends_at:
                time.sleep(chance.uniform(0.2, 5))
                if chance.random() < 0.05:
                    running.kill_everything()
                    running = up("--intake", "2", "--workers", "3")
                    load.base = running.base
                    struck.append("SIGKILL everything")
                else:
                    struck.append(_strike(running, chance))
            running.wait_ready()
        print(f"seed {seed}: {len(load.accepted)} accepted, {len(load.seen.put_off)} put off; {struck[-20:]}")
        load.assert_well_answered()
        assert_every_202_is_accounted_for(running, load.accepted)
    assert Facts(running).value("select count(*) from orders") > 0
