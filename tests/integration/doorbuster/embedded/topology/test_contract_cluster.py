"""The storefront's contract on `doorbuster up --topology cluster`."""

from __future__ import annotations

from collections.abc import Iterator

import psutil
import pytest

from tests.fixtures.contract import ENVIRONMENT, hold
from tests.fixtures.losing_nodes import lose, wait_whole
from tests.fixtures.up import Running, doorbuster, instance

LISTS = {"orders": 6, "room": 6, "cache": 6, "postgres": 2}


@pytest.fixture(scope="module")
def shared() -> Iterator[Running]:
    """An instance of clusters, sentinels and a pair."""
    with instance("--topology", "cluster", "--workers", "1", env=ENVIRONMENT) as one:
        yield one


@pytest.fixture
def running(shared: Running) -> Running:
    """The instance, whole again after a loss."""
    wait_whole(shared)
    return shared


def test_the_storefronts_contract_holds(running: Running) -> None:
    hold(running)


@pytest.mark.parametrize(
    "part", ["the primary of the orders' node", pytest.param("Postgres's primary", marks=pytest.mark.soak)]
)
def test_nothing_is_lost_when_it_is_killed(running: Running, part: str) -> None:
    print(f"\n{part} killed: {lose(running, part)}")


def test_the_ready_line_lists_the_processes_of_a_cluster(running: Running) -> None:
    pids, urls = running.document()["pids"], running.ready["urls"]
    assert {role: len(pids[role]) for role in LISTS} == LISTS
    assert isinstance(pids["jobs"], int)
    assert (len(pids["jobs_replica"]), len(pids["sentinel"])) == (1, 3)
    assert all(psutil.pid_exists(pid) for role in pids for pid in running.pids(role))
    assert {urls[f"{role}_redis"].partition(":")[0] for role in ("orders", "room", "cache")} == {"redis+cluster"}
    assert urls["jobs_redis"].startswith("redis+sentinel://")


def test_no_secret_is_on_a_command_line_nor_open_to_others(running: Running) -> None:
    secrets = (running.data / "secrets.json").read_text()
    password = secrets.partition('"redis_password": "')[2].partition('"')[0]
    assert len(password) > 20
    stores = [pid for role in (*LISTS, "jobs", "jobs_replica", "sentinel") for pid in running.pids(role)]
    assert not [pid for pid in stores if password in " ".join(psutil.Process(pid).cmdline())]
    told = [path for path in running.data.rglob("*.conf") if path.is_file() and password in path.read_text()]
    assert len(told) == 3 * 6 + 2 + 3
    assert not [path for path in told if path.stat().st_mode & 0o077]
    listening = {
        one.laddr.ip for pid in stores for one in psutil.Process(pid).net_connections() if one.status == "LISTEN"
    }
    assert listening == {"127.0.0.1"}


def test_a_folder_keeps_its_topology(running: Running) -> None:
    refused = doorbuster("up", "--port", "0", "--topology", "single", "--data", running.data)
    assert (refused.returncode, refused.stdout, len(refused.stderr.splitlines())) == (2, "", 1)
