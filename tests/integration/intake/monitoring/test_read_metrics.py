"""Where reads were answered, as `/metrics` shows it: of one process, and of several with a replica."""

from __future__ import annotations

from collections import Counter

import pytest
from prometheus_client.parser import text_string_to_metric_families

from db.connections import pool as pools
from tests.fixtures.intake import Intake, Serve
from tests.fixtures.search import fill
from tests.fixtures.up import Running, Up
from tests.fixtures.waiting import wait_until

READS, SERVERS = "doorbuster_catalogue_reads_total", "doorbuster_database_reads_total"
HELD = "doorbuster_connection_held_seconds_count"


def figures(text: str) -> Counter[tuple[str, ...]]:
    """Return series by name and values of their labels."""
    return Counter(
        {
            (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
    )


@pytest.fixture
async def shop(serve: Serve, db: pools.Connection) -> Intake:
    await fill(db)
    return await serve(catalogue_fresh_s=60)


async def test_one_process_counts_by_where_a_read_was_answered(shop: Intake) -> None:
    for path in ("/products/lamp", "/products/lamp", "/products?limit=5", "/products?limit=5", "/search?q=lamp"):
        (await shop.http.get(path)).raise_for_status()
    shown = figures((await shop.http.get("/metrics")).text)
    assert shown[READS, "catalogue", "database"] == shown[READS, "catalogue", "process"] == 2
    assert (READS, "catalogue", "shared") in shown
    assert (READS, "catalogue", "coalesced") in shown
    assert shown[READS, "search", "backend"] == 1
    assert shown[SERVERS, "primary"] == 4  # a search finds, then reads what it found
    assert (shown[HELD, "catalogue"], shown[HELD, "search"]) == (2, 2), "each held its connection for a while"
    again = figures((await shop.http.get("/metrics")).text)
    assert {key: n for key, n in again.items() if key[0] in (READS, SERVERS)} == {
        key: n for key, n in shown.items() if key[0] in (READS, SERVERS)
    }


def test_several_processes_count_together_and_the_primary_answers_nothing(up: Up) -> None:
    # A replica that does not get its turn on a busy machine must not be taken for one that lags or is away.
    told = {"REPLICA_LAG_MAX_S": "10", "STORE_TIMEOUT_S": "10"}
    running = up("--intake", "2", "--replicas", "1", "--workers", "1", env=told)
    product = {"name": "Lamp", "brand": "Lux", "category": "Light", "price": 4900, "currency": "EUR"}
    running.ops.put("/ops/products/lamp", json=product).raise_for_status()
    wait_until(lambda: running.http.get("/products/lamp").is_success, what="the replica to have the lamp")
    start = shown(running.http.get("/metrics").text)["asked"]
    look_around(running, 40)
    # What a process asked it tells together with how it sees the replica: so by then both have told.
    wait_until(lambda: shown(running.http.get("/metrics").text)["asked"] >= start + 40, what="all reads to be told")
    wait_until(lambda: usable(running) == 1, what="every process to read from the replica")
    before = shown(running.http.get("/metrics").text)
    look_around(running, 60)
    for number in range(60):
        running.http.get(f"/search?q=lamp&limit={number + 1}", headers={"Connection": "close"}).raise_for_status()

    def counted() -> bool:
        """All of it, once both processes have told."""
        now = shown(running.http.get("/metrics").text)
        return now["asked"] - before["asked"] >= 120 and now["replica 1"] - before["replica 1"] >= 120

    wait_until(counted, within_s=10, what="both processes to tell")
    after = figures(running.http.get("/metrics").text)
    assert after[SERVERS, "primary"] - before["primary"] == 0
    assert after["doorbuster_replica_usable", "replica 1"] == 1
    assert 0 <= after["doorbuster_replica_lag_seconds", "replica 1"] < 10


def look_around(running: Running, times: int) -> None:
    """Look at the lamp, each time over a new connection, so that every process gets some."""
    for _ in range(times):
        running.http.get("/products/lamp", headers={"Connection": "close"}).raise_for_status()


def usable(running: Running) -> float:
    """Return 1 while every process reads from the replica."""
    return figures(running.http.get("/metrics").text)["doorbuster_replica_usable", "replica 1"]


def shown(text: str) -> Counter[str]:
    """Return reads asked for in all, and those of the database by server."""
    found = figures(text)
    asked = sum(int(n) for key, n in found.items() if key[0] == READS)
    return Counter({"asked": asked, **{server: int(found[SERVERS, server]) for server in ("primary", "replica 1")}})


def test_a_replica_that_is_away_is_shown_to_be(up: Up) -> None:
    running = up("--replicas", "1", "--workers", "1")
    wait_until(lambda: usable(running) == 1, what="the replica to be read from")
    running.kill("replica")
    wait_until(lambda: usable(running) == 0, what="the replica to be left out")
    wait_until(lambda: usable(running) == 1, within_s=30, what="the replica to be back")
