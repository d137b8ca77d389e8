"""`doorbuster up` goes on after any part of it, or all of it, is killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from doorbuster.embedded import leftovers
from tests.fixtures.up import STORES, Running, Up, instance
from tests.fixtures.waiting import wait_until


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """An instance that loses one part after the other."""
    with instance() as one:
        yield one


@pytest.mark.parametrize("role", ["intake", "worker", "scheduler", *STORES])
def test_what_is_killed_is_replaced(running: Running, role: str) -> None:
    former = running.kill(role)
    running.wait_replaced(role, former)
    running.wait_ready()
    assert running.process.poll() is None
    assert running.document()["urls"] == running.ready["urls"]


def test_the_intake_s_master_is_replaced_and_finds_its_port_free(running: Running) -> None:
    workers = running.pids("intake")
    os.kill(_parent(workers[0]), signal.SIGKILL)
    running.wait_replaced("intake", workers)
    running.wait_ready()


def test_a_stop_is_clean_after_parts_were_replaced(up: Up) -> None:
    running = up("--workers", "1")
    former = {role: running.kill(role) for role in ("intake", "worker", "orders", "postgres")}
    for role, pids in former.items():
        running.wait_replaced(role, pids)
    running.wait_ready()
    assert running.stop() == 0
    assert list(leftovers.find(running.data.resolve())) == []


def _parent(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("PPid:")).split()[1])


def test_nothing_outlives_a_killed_supervisor(up: Up) -> None:
    running = up("--workers", "1")
    running.process.kill()
    running.process.wait(10)
    wait_until(lambda: not list(leftovers.find(running.data.resolve())), within_s=30, what="all children to end")
    assert up("--workers", "1").http.get("/readyz").status_code == 200


def test_everything_killed_at_once_it_goes_on_where_it_was(up: Up) -> None:
    first = up("--workers", "1")
    with redis.Redis.from_url(first.ready["urls"]["orders_redis"]) as client:
        client.set("acknowledged", "yes")
    first.kill_everything()
    second = up("--workers", "1")
    assert second.ready["urls"] == first.ready["urls"]
    with redis.Redis.from_url(second.ready["urls"]["orders_redis"]) as client:
        assert client.get("acknowledged") == b"yes"
    assert second.stop() == 0


def test_what_a_killed_run_left_behind_is_ended_first(up: Up) -> None:
    first = up("--workers", "1")
    (worker,) = first.pids("scheduler")
    os.kill(worker, signal.SIGSTOP)  # a stopped process dies of SIGKILL alone; the stores it leaves are running
    first.process.kill()
    first.process.wait(10)
    second = up("--workers", "1")
    assert worker not in {process.pid for process in leftovers.find(second.data.resolve())}


ORDINARY = ("unshare", "--user", "--map-user=65534", "--map-group=65534")
"""Runs a command as `nobody`, in a user namespace of its own, so that a Python in root's home can still be run."""


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests run as an ordinary user already")
def test_it_runs_as_an_ordinary_user_too(up: Up) -> None:
    if not shutil.which("unshare") or subprocess.run([*ORDINARY, "true"], check=False).returncode:
        pytest.skip("this machine makes no user namespaces")
    running = up("--workers", "1", prefix=ORDINARY)
    assert not list(running.data.glob("postgres.new"))
    assert (running.data / "postgres").stat().st_uid == os.geteuid()
    running.wait_replaced("postgres", running.kill("postgres"))
    running.wait_ready()
    assert running.stop() == 0
