"""`doorbuster up --replicas`: real streaming replicas that are read from, kept up, and made anew where they must."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from doorbuster.embedded import leftovers
from doorbuster.embedded.stores.postgres import Postgres
from doorbuster.embedded.stores.standby import Standby
from tests.fixtures.asking import asked
from tests.fixtures.insisting import insist
from tests.fixtures.stores import _QUICK, serving
from tests.fixtures.up import Running, Up, doorbuster, instance
from tests.fixtures.waiting import wait_until

pytestmark = pytest.mark.versions

_numbers = itertools.count()
PRODUCT = {"name": "Lamp", "brand": "Lux", "category": "Light", "price": 4900, "currency": "EUR"}


def follows(running: Running) -> None:
    """Write a product, and wait until every replica shows it."""
    product = f"lamp-{next(_numbers)}"
    insist(running.ops, "PUT", f"/ops/products/{product}", json=PRODUCT)
    for url in running.ready["urls"]["replica"].split(","):
        shown = f"select pg_is_in_recovery() and exists (select from products where product_id = '{product}')"
        wait_until(lambda: asked(url, shown), within_s=30, what=f"{url} to show {product}")  # noqa: B023


def test_replicas_follow_and_are_in_the_ready_line(up: Up) -> None:
    running = up("--replicas", "2", "--workers", "1")
    assert list(running.ready["pids"])[-1] == list(running.ready["urls"])[-1] == "replica"
    assert len(running.pids("replica")) == len(running.ready["urls"]["replica"].split(",")) == 2
    follows(running)
    assert running.stop() == 0
    assert list(leftovers.find(running.data.resolve())) == []
    for number in (1, 2):
        assert "was not properly shut down" not in (running.data / "logs" / f"replica-{number}.log").read_text()


@pytest.fixture(scope="module")
def shared() -> Iterator[Running]:
    """An instance that loses its replica in one way after the other."""
    with instance("--replicas", "1", "--workers", "1") as one:
        yield one


@pytest.fixture
def running(shared: Running) -> Running:
    """The module's instance, whole again."""
    shared.wait_ready()
    follows(shared)
    wait_until(lambda: list(map(psutil.pid_exists, shared.pids("replica"))) == [True], what="the replica to be told of")
    return shared


def inode(running: Running) -> int:
    """Tell one copy from another."""
    return (running.data / "replica-1").stat().st_ino


def test_a_killed_replica_is_replaced_and_not_copied_again(running: Running) -> None:
    before = inode(running)
    running.wait_replaced("replica", running.kill("replica"))
    follows(running)
    assert inode(running) == before


def test_what_keeps_it_may_be_killed_too(running: Running) -> None:
    (replica,) = running.pids("replica")
    psutil.Process(replica).parent().kill()  # type: ignore[union-attr]
    running.wait_replaced("replica", [replica])
    follows(running)


def test_it_follows_the_primary_that_was_killed_and_came_back(running: Running) -> None:
    running.wait_replaced("postgres", running.kill("postgres"))
    running.wait_ready()
    follows(running)


def test_everything_killed_at_once_it_goes_on(up: Up) -> None:
    first = up("--replicas", "1", "--workers", "1")
    before = inode(first)
    first.kill_everything()
    again = up("--replicas", "1", "--workers", "1")
    follows(again)
    assert inode(again) == before


def test_one_whose_slot_is_gone_is_made_anew(running: Running) -> None:
    before, (former,) = inode(running), running.pids("replica")
    receiver = next(one for one in psutil.Process(former).children() if "walreceiver" in " ".join(one.cmdline()))
    receiver.send_signal(signal.SIGSTOP)
    os.kill(former, signal.SIGSTOP)  # so that it makes no other receiver
    primary = running.ready["urls"]["database"]

    def is_free() -> bool:
        asked(primary, "select pg_terminate_backend(active_pid) from pg_replication_slots where active")
        return asked(primary, "select bool_or(active) from pg_replication_slots") is False

    wait_until(is_free, what="nobody to be sent anything by the slot")
    asked(primary, "select pg_drop_replication_slot(slot_name) from pg_replication_slots")
    assert asked(primary, "select count(*) from pg_replication_slots") == 0
    for pid in (receiver.pid, former):
        os.kill(pid, signal.SIGCONT)
    running.wait_replaced("replica", [former])
    follows(running)
    assert inode(running) != before


def test_without_replicas_the_next_time_nothing_of_them_is_kept(up: Up) -> None:
    assert up("--replicas", "1", "--workers", "1").stop() == 0
    again = up("--workers", "1")
    assert asked(again.ready["urls"]["database"], "select count(*) from pg_replication_slots") == 0
    assert not (again.data / "replica-1").exists()
    assert "replica" not in again.ready["urls"]


def test_replicas_of_a_database_that_is_not_embedded_are_refused(scratch: Path) -> None:
    named = {"DATABASE_URL": "postgresql://postgres@127.0.0.1:1/doorbuster"}
    refused = doorbuster("up", "--port", "0", "--replicas", "1", "--data", scratch / "data", env=named)
    assert refused.returncode == 2
    assert refused.stderr.endswith("--replicas are those of the embedded PostgreSQL, and DATABASE_URL names another\n")


@pytest.fixture
def forgetful(scratch: Path) -> Iterator[Postgres]:
    """A primary that keeps hardly any log for a replica that is away."""
    primary = Postgres(scratch / "primary", scratch / "log", _QUICK | {"max_slot_wal_keep_size": "16MB"})
    with serving(primary):
        yield primary
    primary.clear()


def test_one_that_fell_too_far_behind_cannot_go_on(forgetful: Postgres, scratch: Path) -> None:
    standby = Standby(forgetful, scratch / "replica-1", scratch / "log")
    assert not standby.follows()
    standby.copy({})
    assert standby.follows()
    for number in range(5):
        asked(forgetful.url(), f"create table t{number} ()")
        assert asked(forgetful.url(), "select pg_switch_wal()::text")
    asked(forgetful.url(), "checkpoint")
    assert forgetful.slot("doorbuster_replica_1") == "lost"
    assert not standby.follows()
    standby.copy({})
    assert standby.follows()
    standby.forget()
    standby.server.clear()
    assert forgetful.slot("doorbuster_replica_1") is None
