"""A pair of PostgreSQL servers: every acknowledged commit is on both, and the standby takes a dead primary's place."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from doorbuster.embedded.data.folder import DataFolder
from doorbuster.embedded.stores.keepers import environment
from doorbuster.embedded.stores.postgres import Postgres
from doorbuster.embedded.topology.pair import PairGroup, pair
from tests.fixtures import asking
from tests.fixtures.groups import kept, kill, until

pytestmark = pytest.mark.soak  # a takeover is in every run, by a whole instance that loses its primary


def asked(server: Postgres, statement: str) -> object:
    """Ask a server something; None when it does not answer."""
    return asking.asked(server.url("postgres"), statement)


@pytest.fixture
def folder(scratch: Path) -> Iterator[DataFolder]:
    folder = DataFolder(scratch / "data")
    folder.open()
    yield folder
    folder.close()


def group_of(folder: DataFolder) -> tuple[PairGroup, tuple[Postgres, Postgres]]:
    servers = pair(folder)
    return PairGroup(folder, servers, environment(), stop_s=30), servers


def test_the_standby_takes_over_with_all_that_was_acknowledged_and_back(folder: DataFolder) -> None:
    group, (first, second) = group_of(folder)
    with kept(group):
        asked(first, "create table told (number int)")
        asked(first, "insert into told values (1)")
        for number, (former, now) in enumerate([(first, second), (second, first)], 2):
            (pid, standby) = group.pids()["postgres"]
            kill(group.keepers()[0])
            until(group, lambda now=now: asked(now, "select pg_is_in_recovery()") is False, what="a promotion")
            assert group.pids()["postgres"][0] == standby
            asked(now, f"insert into told values ({number})")
            assert asked(now, "select count(*) from told") == number
            until(group, group.is_ready, what="the former primary to follow")
            assert asked(former, "select pg_is_in_recovery() and exists (select from told)") is True
            assert pid not in group.pids()["postgres"]
    assert json.loads(folder.postgres_pair.read_text()) == {"primary": 0, "in_sync": True}


def test_one_that_does_not_have_all_is_not_promoted(folder: DataFolder) -> None:
    group, (first, _second) = group_of(folder)
    with kept(group):
        asked(first, "create table told (number int)")
        primary, standby = group.keepers()
        kill(standby)
        group.look()  # it is seen dead, and waited for no longer
        asked(first, "insert into told values (1)")
        kill(primary)
        until(group, lambda: asked(first, "select count(*) from told") == 1, what="the first to come back")
        assert json.loads(folder.postgres_pair.read_text())["primary"] == 0
        until(group, group.is_ready, what="it to be a pair again")


def test_a_run_that_was_killed_right_after_it_decided_is_taken_to_its_end(folder: DataFolder) -> None:
    group, (first, second) = group_of(folder)
    with kept(group):
        asked(first, "create table told (number int)")
        asked(first, "insert into told values (1)")
    folder.postgres_pair.write_text(json.dumps({"primary": 1, "in_sync": False}))
    group, (first, second) = group_of(folder)
    with kept(group):
        assert asked(second, "select pg_is_in_recovery()") is False
        assert asked(second, "select count(*) from told") == 1
        assert asked(first, "select pg_is_in_recovery()") is True


def test_one_that_hangs_is_ended_and_replaced(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("doorbuster.embedded.topology.pair.HANGS_S", 2.0)
    group, (_, second) = group_of(folder)
    with kept(group):
        (pid, _) = group.pids()["postgres"]
        os.kill(pid, signal.SIGSTOP)
        until(group, lambda: asked(second, "select pg_is_in_recovery()") is False, what="a promotion")
        until(group, group.is_ready, what="the former primary to follow")
