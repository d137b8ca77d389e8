"""Clusters and sentinels as kept processes: a killed primary comes back as replica of the one that took over."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from doorbuster.embedded.data.addresses import port_names
from doorbuster.embedded.data.folder import DataFolder
from doorbuster.embedded.plan import Plan, UpOptions
from doorbuster.embedded.roles import Listeners
from doorbuster.embedded.stores.postgres import Postgres
from doorbuster.embedded.topology.build import groups
from doorbuster.embedded.topology.group import StoreGroup
from doorbuster.settings import load_settings
from tests.fixtures.groups import kept, kill, until

pytestmark = pytest.mark.soak  # what a whole instance loses, and is made up for, is in every run

PASSWORD = "for-tests-only"


def plan_of(folder: DataFolder, *roles: str) -> Plan:
    """Return a plan that brings these roles alone."""
    urls = {f"{role}_redis_url": "redis://" for role in ("orders", "room", "jobs", "cache")}
    settings = load_settings(database_url="postgresql://", order_id_key="k" * 16, ops_key="k" * 16, **urls)
    return Plan(
        options=UpOptions(topology="cluster"), folder=folder, listeners=Listeners(host="127.0.0.1", port=1),
        embedded=frozenset(f"{role}_redis" for role in roles), urls={}, settings=settings,
        redis_password=PASSWORD, redis_ports=folder.ports(port_names("cluster")),
    )  # fmt: skip


@pytest.fixture
def folder(scratch: Path) -> Iterator[DataFolder]:
    folder = DataFolder(scratch / "data")
    folder.open()
    yield folder
    folder.close()


def made(folder: DataFolder, role: str) -> StoreGroup:
    (group,) = groups(plan_of(folder, role), Postgres(folder.postgres, folder.log("postgres")))
    return group


def test_a_killed_primary_of_a_cluster_comes_back_as_replica(folder: DataFolder) -> None:
    group = made(folder, "orders")
    with kept(group):
        group.look()
        pids = group.pids()["orders"]
        primary = next(keeper for keeper in group.keepers() if keeper.pid == pids[0])
        died = time.monotonic()
        kill(primary)
        until(group, lambda: primary.lives, what="it to be started again")
        assert time.monotonic() - died > 1.0, "it came back before its replica could have taken over"
        until(group, group.is_ready, what="the cluster to be whole")
        until(group, lambda: group.pids()["orders"][-3:].count(primary.pid) == 1, what="it to be told of as replica")
        print(f"whole again {time.monotonic() - died:.1f} s after the kill")
    again = made(folder, "orders")
    with kept(again):
        again.look()
        assert again.pids()["orders"].index(primary_of(again, primary.name)) >= 3


def primary_of(group: StoreGroup, name: str) -> int:
    return next(keeper.pid for keeper in group.keepers() if keeper.name == name)


def test_a_killed_primary_behind_sentinels_comes_back_as_replica(folder: DataFolder) -> None:
    group = made(folder, "jobs")
    with kept(group):
        first, second, *_ = group.keepers()
        assert group.pids()["jobs"] == first.pid
        kill(first)
        died = time.monotonic()
        until(group, lambda: group.pids()["jobs"] == second.pid, what="the sentinels to name the other")
        until(group, group.is_ready, what="the former primary to follow")
        print(f"whole again {time.monotonic() - died:.1f} s after the kill")
        assert group.pids()["jobs_replica"] == [first.pid]
        closed = [path for path in (folder.root / "redis").rglob("*") if path.is_file() and path.stat().st_mode & 0o077]
        assert closed == []
    again = made(folder, "jobs")
    with kept(again):
        assert again.pids()["jobs"] == again.keepers()[1].pid
