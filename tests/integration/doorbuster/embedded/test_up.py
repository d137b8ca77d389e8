"""`doorbuster up`: what it says once it serves, how it stops, what it refuses."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import redis

from doorbuster.embedded import leftovers
from tests.fixtures.contract import ENVIRONMENT, hold
from tests.fixtures.up import COMMAND, STORES, Running, Up, clean_environment, doorbuster, instance


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """An instance for the tests that leave it as it is."""
    with instance(env=ENVIRONMENT) as one:
        yield one


def test_the_storefronts_contract_holds_on_single_servers(running: Running) -> None:
    hold(running)


def test_the_ready_line_says_all_of_it(running: Running) -> None:
    ready = running.ready
    assert list(ready) == ["base", "ops_base", "ops_key", "data", "pids", "urls"]
    assert list(ready["pids"]) == ["intake", "worker", "scheduler", *STORES]
    assert list(ready["urls"]) == ["database", "orders_redis", "room_redis", "jobs_redis", "cache_redis"]
    assert [len(ready["pids"][role]) for role in ("intake", "worker", "scheduler")] == [1, 4, 1]
    assert all(psutil.pid_exists(pid) for role in ready["pids"] for pid in running.pids(role))
    assert running.document() == ready
    assert running.http.get("/readyz").status_code == 200
    assert running.ops.get("/ops/sales").status_code == 200


def test_secrets_are_for_the_owner_alone(running: Running) -> None:
    for name in ("ready.json", "secrets.json"):
        assert (running.data / name).stat().st_mode & 0o777 == 0o600
    for name in ("redis", "logs", "postgres"):
        assert (running.data / name).stat().st_mode & 0o077 == 0
    port = urlsplit(running.ready["urls"]["orders_redis"]).port
    assert port is not None
    with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()


def test_started_as_root_no_store_is(running: Running) -> None:
    for role in ("postgres", "orders", "room", "jobs", "cache"):
        for pid in running.pids(role):
            owner = psutil.Process(pid).uids()
            assert owner.effective == owner.real
            assert owner.real != 0 or os.geteuid() != 0, role


def test_each_redis_role_is_as_durable_as_it_must_be(running: Running) -> None:
    found = {}
    for role in ("orders", "room", "jobs", "cache"):
        with redis.Redis.from_url(running.ready["urls"][f"{role}_redis"], decode_responses=True) as client:
            config = client.config_get("appendonly", "appendfsync", "maxmemory-policy", "no-appendfsync-on-rewrite")
            found[role] = (config["appendonly"], config["appendfsync"], config["maxmemory-policy"])
            assert config["no-appendfsync-on-rewrite"] == "no"
            bounded = int(client.config_get("maxmemory")["maxmemory"])
            assert role not in ("orders", "cache") or bounded >= 256 * 2**20
    assert found["orders"] == ("yes", "always", "noeviction")
    assert found["room"] == found["jobs"] == ("yes", "everysec", "noeviction")
    assert found["cache"][::2] == ("no", "allkeys-lru")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_is_clean_and_leaves_nothing(up: Up, number: signal.Signals) -> None:
    running = up("--workers", "1")
    assert running.stop(number) == 0
    assert list(leftovers.find(running.data.resolve())) == []
    assert not (running.data / "ready.json").exists()
    assert "was not properly shut down" not in (running.data / "logs" / "postgres.log").read_text()


def test_started_again_it_is_the_same_instance(up: Up) -> None:
    first = up("--workers", "1")
    with redis.Redis.from_url(first.ready["urls"]["orders_redis"]) as client:
        client.set("kept", "yes")
    assert first.stop() == 0
    second = up("--workers", "1")
    assert second.ready["ops_key"] == first.ready["ops_key"]
    assert second.ready["urls"] == first.ready["urls"]
    with redis.Redis.from_url(second.ready["urls"]["orders_redis"]) as client:
        assert client.get("kept") == b"yes"
    assert "was not properly shut down" not in (second.data / "logs" / "postgres.log").read_text()


def test_a_second_run_on_the_folder_is_refused(running: Running) -> None:
    refused = doorbuster("up", "--port", "0", "--data", running.data)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == f"doorbuster: the data folder {running.data} is in use by another run\n"
    assert running.http.get("/readyz").status_code == 200


def test_a_payment_provider_without_its_key_is_said_in_a_line(scratch: Path) -> None:
    refused = doorbuster("up", "--port", "0", "--data", scratch / "data", env={"PAYMENT_PROVIDER": "stripe"})
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == "doorbuster: STRIPE_API_KEY: is missing, and PAYMENT_PROVIDER is stripe\n"


def test_a_port_in_use_is_said_in_a_line(scratch: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = doorbuster("up", "--port", str(port), "--data", scratch / "data")
    assert refused.returncode == 2
    assert refused.stderr == f"doorbuster: cannot listen on 127.0.0.1 port {port}: Address already in use\n"


def test_a_folder_that_cannot_be_is_said_in_a_line(scratch: Path) -> None:
    (scratch / "file").touch()
    refused = doorbuster("up", "--port", "0", "--data", scratch / "file" / "data")
    assert refused.returncode == 2
    assert refused.stderr == f"doorbuster: cannot use the data folder {scratch / 'file' / 'data'}: Not a directory\n"


def test_a_store_named_by_url_is_not_started(up: Up, scratch: Path) -> None:
    host = up("--workers", "1", data=scratch / "host")
    guest = up("--workers", "1", data=scratch / "guest", env={"CACHE_REDIS_URL": host.ready["urls"]["cache_redis"]})
    assert guest.ready["pids"]["cache"] is None
    assert guest.ready["urls"]["cache_redis"] == host.ready["urls"]["cache_redis"]
    assert guest.ready["urls"]["orders_redis"] != host.ready["urls"]["orders_redis"]


def test_ops_may_have_a_listener_of_its_own(up: Up) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    running = up("--workers", "1", env={"OPS_PORT": str(port)})
    assert running.ready["ops_base"] == f"http://127.0.0.1:{port}" != running.ready["base"]
    assert running.ops.get("/ops/sales").status_code == 200
    assert running.http.get("/ops/sales").status_code == 404
    # The figures of both are where ops listens, none where shoppers do.
    assert running.http.get("/metrics").status_code == running.http.get("/readyz").status_code == 404
    assert running.ops.get("/readyz").status_code == 200
    assert 'doorbuster_refusals_total{code="not_found"} 3.0' in running.ops.get("/metrics").text


def test_the_ready_file_is_written_too(up: Up, scratch: Path) -> None:
    running = up("--ready-file", scratch / "ready", "--intake", "2", "--workers", "1")
    assert json.loads((scratch / "ready").read_text()) == running.ready
    assert [len(running.ready["pids"][role]) for role in ("intake", "worker")] == [2, 1]


def test_secrets_may_be_left_out_of_the_ready_line(up: Up) -> None:
    running = up("--hide-secrets", "--workers", "1")
    kept = running.document()
    assert running.ready["ops_key"] is None
    assert running.ready["ready_file"] == str(running.data / "ready.json")
    assert kept["ops_key"]
    passwords = [password for url in kept["urls"].values() if (password := urlsplit(url).password)]
    assert passwords
    assert not any(secret in json.dumps(running.ready) for secret in (kept["ops_key"], *passwords))


def test_on_a_terminal_a_person_is_told_and_no_secret_shown(scratch: Path) -> None:
    near, far = pty.openpty()
    data = scratch / "data"
    env = clean_environment(XDG_STATE_HOME=str(scratch / "state"))
    process = subprocess.Popen(
        [str(COMMAND), "up", "--port", "0", "--data", str(data), "--workers", "1"], stdout=far, stderr=far, env=env
    )
    os.close(far)
    said = b""
    try:
        while b"Ctrl-C ends it" not in said:
            assert select.select([near], [], [], 60)[0], said
            said += os.read(near, 4096)
        document = json.loads((data / "ready.json").read_text())
    finally:
        process.terminate()
        process.wait(60)
        os.close(near)
    assert document["base"].encode() in said
    assert document["ops_key"].encode() not in said
    assert str(data / "ready.json").encode() in said
    assert len(said.splitlines()) == 2


def test_in_the_background_it_serves_until_it_is_ended(scratch: Path) -> None:
    data, told = scratch / "data", {"XDG_STATE_HOME": str(scratch / "state")}
    started = doorbuster("up", "--detach", "--port", "0", "--data", data, "--workers", "1", env=told)
    try:
        assert (started.returncode, started.stderr) == (0, "")
        ready = json.loads(started.stdout)
        assert ready == json.loads((data / "ready.json").read_text())
        again = doorbuster("up", "--detach", "--port", "0", "--data", data, env=told)
        assert (again.returncode, again.stderr) == (2, f"doorbuster: the data folder {data} is in use by another run\n")
        exports = doorbuster("env", "--data", data, env=told).stdout
        shell = subprocess.run(
            ["bash", "-c", f"{exports}\necho $BASE $OPS_BASE $OPS_KEY $DOORBUSTER_DATA"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert shell.stdout.split() == [ready["base"], ready["ops_base"], ready["ops_key"], str(data)]
        shown = doorbuster("status", "--data", data, env=told)
        assert (shown.returncode, "DOWN" in shown.stdout) == (0, False), shown.stdout
    finally:
        ended = doorbuster("down", "--data", data, env=told)
    assert ended.returncode == 0
    assert not (data / "ready.json").exists()
    assert list(leftovers.find(data.resolve())) == []
    assert doorbuster("down", "--data", data, env=told).returncode == 2


def test_in_the_background_what_went_wrong_is_told(scratch: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = doorbuster("up", "--detach", "--port", str(port), "--data", scratch / "data")
    assert refused.returncode == 2
    assert refused.stderr == f"doorbuster: cannot listen on 127.0.0.1 port {port}: Address already in use\n"


@pytest.mark.parametrize("name", ["none/ready", "folder", "pipe"])
def test_a_ready_file_that_cannot_be_is_said_before_anything_starts(scratch: Path, name: str) -> None:
    (scratch / "folder").mkdir()
    os.mkfifo(scratch / "pipe")
    refused = doorbuster("up", "--port", "0", "--data", scratch / "data", "--ready-file", scratch / name)
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    assert "--ready-file" in refused.stderr
    assert not (scratch / "data").exists()


def test_ctrl_c_while_starting_is_a_line_and_130(scratch: Path) -> None:
    env = clean_environment(LOG_LEVEL="info", XDG_STATE_HOME=str(scratch / "state"))
    with subprocess.Popen(
        [str(COMMAND), "up", "--port", "0", "--data", str(scratch / "data")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        # It says itself when it starts a store. Before, PostgreSQL makes and syncs its files, as long as a disk takes.
        assert any('"child":"orders"' in line for line in process.stderr), "it ended before it started the stores"
        process.send_signal(signal.SIGINT)
        told = process.stderr.read().splitlines()
        assert (process.stdout.read(), process.wait()) == ("", 130)
    assert [line for line in told if not line.startswith("{")] == ["doorbuster: interrupted"]
    assert list(leftovers.find((scratch / "data").resolve())) == []
