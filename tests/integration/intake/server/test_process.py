"""The intake as processes under gunicorn: it refuses wrong settings, dies with its master, and adds its metrics up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psutil
import pytest

from doorbuster.ports import reserve
from doorbuster.settings import Settings
from tests.fixtures.waiting import wait_until

pytestmark = pytest.mark.versions

COMMAND = [sys.executable, "-m", "gunicorn", "--config", "python:intake.gunicorn_conf"]


def environment(settings: Settings, **changes: str) -> dict[str, str]:
    stores = ("database_url", "orders_redis_url", "room_redis_url", "jobs_redis_url", "cache_redis_url")
    told = {name.upper(): getattr(settings, name).get_secret_value() for name in (*stores, "order_id_key", "ops_key")}
    return {"PATH": os.environ["PATH"]} | told | changes


@contextmanager
def serving(settings: Settings, **changes: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    bind = f"127.0.0.1:{reserve()}"
    told = environment(settings, INTAKE_BIND=bind, **changes)
    process = subprocess.Popen(COMMAND, env=told, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: alive(f"http://{bind}"), within_s=30, what="the intake to serve")
        yield process, f"http://{bind}"
    finally:
        process.kill()
        process.wait(10)


def alive(base: str) -> bool:
    try:
        return httpx.get(f"{base}/healthz", trust_env=False).is_success
    except httpx.TransportError:
        return False


def test_wrong_settings_end_it_with_a_line_each(settings: Settings) -> None:
    told = environment(settings, DATABASE_URL="mysql://x", BATCH_MAX="0", INTAKE_BIND=f"127.0.0.1:{reserve()}")
    ended = subprocess.run(COMMAND, env=told, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 2
    assert "DATABASE_URL: " in ended.stderr
    assert "BATCH_MAX: " in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_mistyped_role_opens_no_port(settings: Settings) -> None:
    told = environment(settings, INTAKE_ROLE="pubilc", INTAKE_PROCESSES="two", INTAKE_BIND="127.0.0.1", BATCH_MAX="0")
    ended = subprocess.run(COMMAND, env=told, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 2
    named = [line.partition(":")[0] for line in ended.stderr.splitlines()]
    assert named == ["Doorbuster cannot start so", "BATCH_MAX", "INTAKE_BIND", "INTAKE_PROCESSES", "INTAKE_ROLE"]


def test_a_public_intake_serves_no_ops(settings: Settings) -> None:
    with serving(settings, INTAKE_ROLE="public") as (_, base):
        key = {"Authorization": f"Bearer {settings.ops_key.get_secret_value()}"}
        assert httpx.get(f"{base}/ops/sales", headers=key, trust_env=False).status_code == 404
        assert httpx.get(f"{base}/products", trust_env=False).status_code == 200


def test_workers_die_with_their_master(settings: Settings) -> None:
    with serving(settings, INTAKE_PROCESSES="2") as (master, base):
        # One of them may serve before the master has made the other.
        workers = wait_until(lambda: _two(psutil.Process(master.pid).children()), what="both workers")
        master.kill()
        _, left = psutil.wait_procs(workers, timeout=15)
        assert not left
        assert not alive(base)


def _two(children: list[psutil.Process]) -> list[psutil.Process]:
    return children if len(children) == 2 else []


def test_a_stop_is_clean_and_quick(settings: Settings) -> None:
    with serving(settings) as (master, _):
        master.send_signal(signal.SIGTERM)
        assert master.wait(15) == 0


@pytest.mark.parametrize("processes", ["1", "2"])
def test_metrics_of_all_processes_are_added_up(settings: Settings, processes: str) -> None:
    with serving(settings, INTAKE_PROCESSES=processes) as (_, base):
        for _ in range(20):
            # A connection each: the kernel spreads them over the processes.
            assert httpx.get(f"{base}/orders/x", trust_env=False).status_code == 404
        text = httpx.get(f"{base}/metrics", trust_env=False).text
        assert 'doorbuster_refusals_total{code="order_not_found"} 20.0' in text
