"""`doorbuster rehearse` on a running instance: it finds a rate, leaves its result and no trace, also when killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from redis.asyncio import Redis

from db.connections import pool
from doorbuster.cli.app import run
from tests.fixtures.digest import digest
from tests.fixtures.up import COMMAND, Running, clean_environment, doorbuster, instance
from tests.fixtures.waiting import eventually, wait_until

SALE = "friday"
QUICK = ("--step", "1", "--seconds", "2", "--max-rate", "40", "--p99-ms", "60000")


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """An instance with a sale that is to come."""
    with instance(
        "--workers", "3", env={"STORE_TIMEOUT_S": "10", "LOADTEST_PROOF": "a-proof-of-sixteen-or-more"}
    ) as up:
        body = {"name": "Lamp", "brand": "Lux", "category": "Light", "price": 4_900, "currency": "EUR"}
        up.ops.put("/ops/products/lamp", json=body).raise_for_status()
        up.ops.post("/ops/products/lamp/stock", json={"receive": 10}).raise_for_status()
        _sale(up, SALE, starts_at="2999-01-01T00:00:00Z").raise_for_status()
        yield up


def _sale(up: Running, sale_id: str, **terms: Any) -> Any:
    products = [{"product_id": "lamp", "limits": {"customer": 1}}]
    room = {"mode": "always", "rate_per_s": 30}
    return up.ops.post("/ops/sales", json={"sale_id": sale_id, "products": products, "room": room} | terms)


async def _digest(up: Running) -> dict[str, str]:
    urls = up.ready["urls"]
    stores = {name: Redis.from_url(url) for name, url in urls.items() if name != "database"}
    connection = await pool.connect(urls["database"], command_timeout_s=30)
    try:
        return await digest(connection, stores)
    finally:
        await connection.close()
        for redis in stores.values():
            await redis.aclose()


async def _settled_digest(up: Running) -> dict[str, str]:
    """Return the digest once nothing changes: the scheduler writes a sale's cursors, and its report at the end."""
    seen: list[dict[str, str]] = [{}]

    async def steady() -> bool:
        await asyncio.sleep(1.0)  # longer than the scheduler's rhythm
        seen.append(await _digest(up))
        found = (await asyncio.to_thread(up.ops.get, "/ops/sales")).json()["items"]
        over = sum(one["phase"] == "closed" for one in found)
        written = [seen[-1][f"table {name}"].split()[0] for name in ("stream_cursors", "sale_reports")]
        return seen[-1] == seen[-2] and written == [str(len(found)), str(over)]

    await eventually(steady, within_s=30, what="everything to stand still")
    return seen[-1]


async def _remove_now(up: Running) -> None:
    """Let the lease be over, and the time in which copies end."""
    connection = await pool.connect(up.ready["urls"]["database"], command_timeout_s=30)

    async def removed() -> bool:
        await connection.execute("update rehearsals set lease_expires_at = now() where removed_at is null")
        return await connection.fetchval("select count(*) from rehearsals where removed_at is null") == 0

    try:
        await eventually(removed, within_s=60, what="the shadow to be removed")
    finally:
        await connection.close()


async def test_a_rehearsal_finds_a_rate_and_leaves_its_result_and_no_trace(running: Running) -> None:
    before = await _settled_digest(running)
    said = await asyncio.to_thread(doorbuster, "rehearse", SALE, "--json", "--data", running.data, *QUICK)
    outcome = json.loads(said.stdout)
    result = outcome["result"]
    assert result["stopped"] is None, said.stderr
    assert outcome["shadow"] == "removed"
    assert result["set_rate_per_s"] == 30
    assert result["steps"][0]["offered_per_s"] == 15
    proven = result["knee_per_s"] is not None and result["knee_per_s"] >= 30
    assert said.returncode == (0 if proven else 1)
    kept = running.ops.get(f"/ops/sales/{SALE}/rehearsals").json()["items"]
    assert (kept[0]["state"], kept[0]["result"]) == ("removed", result), "the newest"
    assert await _digest(running) == before


def _killed_while_it_sells(up: Running) -> None:
    """Kill a rehearsal once orders of its shadow are drained; its load ends with it."""
    process = subprocess.Popen(
        [str(COMMAND), "rehearse", SALE, "--data", str(up.data), "--step", "20", "--max-rate", "40"],
        env=clean_environment(), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip

    def sold() -> bool:
        found = up.ops.get(f"/ops/sales/{SALE}/rehearsals").json()["items"]
        if not found or found[0]["state"] != "running":
            return False
        shadow = up.ops.get(f"/ops/sales/{SALE}/rehearsals/{found[0]['rehearsal_id']}").json()["shadow"]
        return bool(shadow and shadow["drained"] > 5)

    try:
        wait_until(sold, within_s=60, what="orders of the shadow to be drained")
        load = psutil.Process(process.pid).children(recursive=True)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    assert load
    wait_until(lambda: not any(one.is_running() for one in load), what="its load to end")


async def test_one_that_is_killed_leaves_no_trace_either(running: Running) -> None:
    before = await _settled_digest(running)
    await asyncio.to_thread(_killed_while_it_sells, running)
    await _remove_now(running)
    assert await _digest(running) == before


def test_what_is_wrong_is_said_in_a_line(running: Running, capsys: pytest.CaptureFixture[str]) -> None:
    _sale(running, "now").raise_for_status()
    for arguments, said in (
        (("rehearse", SALE), "'now'"),
        (("rehearse", "nothing"), "nothing"),
        (("rehearse", SALE, "--shape", "no-such-file"), "no-such-file"),
        (("rehearse", SALE, "--scale", "0"), "--scale"),
    ):
        assert run([*arguments, "--data", str(running.data)]) == 2
        complaint = capsys.readouterr().err
        assert said in complaint
        assert len(complaint.splitlines()) == 1
    assert running.http.get("/.well-known/doorbuster-loadtest").status_code == 200
    running.ops.post("/ops/sales/now/close").raise_for_status()
