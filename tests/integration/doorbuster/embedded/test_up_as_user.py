"""`doorbuster up` as root: nothing that serves shoppers or works on orders is root. As another user: all as it."""

from __future__ import annotations

import json
import os
import pwd
import random
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.fixtures.up import Running, Up, doorbuster, instance
from tests.fixtures.waiting import wait_until

IS_ROOT = os.geteuid() == 0
ROLES = ("intake", "worker", "scheduler")
IMPORT = "/ops/products:import"
PRODUCT = {"product_id": "lamp", "name": "Lamp", "brand": "b", "category": "c", "price": 1999, "currency": "EUR"}


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """An instance with two intakes, which share their figures in a folder."""
    with instance("--intake", "2", "--workers", "1") as one:
        yield one


def expected() -> int:
    return pwd.getpwnam("doorbuster").pw_uid if IS_ROOT else os.geteuid()


def owners(running: Running) -> set[int]:
    """Return the users of all processes of the roles, the intakes' master among them."""
    pids = [pid for role in ROLES for pid in running.pids(role)]
    pids += [psutil.Process(pid).ppid() for pid in running.pids("intake")]
    return {uid for pid in pids for uid in psutil.Process(pid).uids()}


def told(pid: int, name: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith(f"{name}:"))


def test_started_as_root_none_of_ours_is(running: Running) -> None:
    assert owners(running) == {expected()}
    for role in ROLES:
        for pid in running.pids(role):
            if IS_ROOT:
                assert (int(told(pid, "CapPrm"), 16), told(pid, "NoNewPrivs")) == (0, "1")
                assert told(pid, "Groups") == ""


@pytest.mark.parametrize("role", ["intake", "worker", "scheduler"])
def test_what_is_killed_comes_back_as_the_same_user(running: Running, role: str) -> None:
    running.wait_replaced(role, running.kill(role))
    running.wait_ready()
    assert owners(running) == {expected()}


def test_the_intake_s_master_too(running: Running) -> None:
    workers = running.pids("intake")
    os.kill(psutil.Process(workers[0]).ppid(), signal.SIGKILL)
    running.wait_replaced("intake", workers)
    running.wait_ready()
    assert owners(running) == {expected()}


def test_an_import_over_http_works_and_figures_are_shared(running: Running) -> None:
    answer = running.ops.post(IMPORT, content=json.dumps(PRODUCT))
    assert (answer.status_code, answer.json()["imported"]) == (200, 1), answer.text
    assert running.http.get("/products/lamp").json()["price"] == 1999
    assert "doorbuster_" in running.ops.get("/metrics").text


def test_new_room_keys_are_taken_up(running: Running) -> None:
    rotated = doorbuster("keys", "rotate", "--data", running.data)
    assert rotated.returncode == 0, rotated.stderr
    kid = rotated.stdout.split()[1]
    log = running.data / "logs" / "intake.log"
    wait_until(lambda: f'"signing_key":"{kid}"' in log.read_text(), what="an intake to sign with the new key")


def test_nobody_else_can_read_what_they_share(running: Running) -> None:
    assert (running.data / "secrets.json").stat().st_mode & 0o777 == 0o600
    if IS_ROOT:
        shared = (running.data / "room_keys").stat()
        assert (shared.st_uid, shared.st_gid, shared.st_mode & 0o777) == (0, pwd.getpwnam("doorbuster").pw_gid, 0o640)
    else:
        assert not (running.data / "room_keys").exists()
    sockets = Path(running.ready["urls"]["database"].partition("host=")[2])
    assert sockets.stat().st_mode & 0o007 == 0


def test_a_folder_of_a_run_that_was_root_goes_on(up: Up) -> None:
    former = up("--stay-root", "--workers", "1")
    assert owners(former) == {os.geteuid()}
    assert former.ops.post(IMPORT, content=json.dumps(PRODUCT)).status_code == 200
    assert former.stop() == 0
    now = up("--workers", "1")
    assert owners(now) == {expected()}
    assert now.http.get("/products/lamp").status_code == 200


def test_what_the_user_cannot_read_is_said_and_the_run_stays_root(up: Up, scratch: Path) -> None:
    folder = scratch / "secrets"
    folder.mkdir()
    (folder / "storefront_keys").write_text("s" * 20)
    (folder / "storefront_keys").chmod(0o600)
    running = up("--workers", "1", env={"SECRETS_DIR": str(folder), "LOG_LEVEL": "warning"})
    assert owners(running) == {os.geteuid()}
    said = [line for line in running.log.read_text().splitlines() if "stay root" in line]
    assert len(said) == IS_ROOT
    assert all("storefront_keys" in line for line in said)


def test_a_port_that_is_root_s_alone_can_be_listened_on(up: Up, scratch: Path) -> None:
    port = _free_low_port() if IS_ROOT else 1
    start = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    if not IS_ROOT and start > 1:
        refused = doorbuster("up", "--port", "1", "--data", scratch / "data")
        assert (refused.returncode, "cannot listen on" in refused.stderr) == (2, True)
        return
    running = up("--workers", "1", "--port", str(port))
    assert running.base.endswith(f":{port}")
    assert owners(running) == {expected()}
    master = psutil.Process(running.pids("intake")[0]).ppid()
    if IS_ROOT and port < start:
        assert int(told(master, "CapPrm"), 16) == 1 << 10
        assert int(told(running.pids("worker")[0], "CapPrm"), 16) == 0
    former = running.pids("intake")
    os.kill(master, signal.SIGKILL)
    running.wait_replaced("intake", former)
    running.wait_ready()


def _free_low_port() -> int:
    for port in random.sample(range(600, 1024), 100):
        with socket.socket() as tried:
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port below 1024")
