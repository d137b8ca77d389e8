"""The storefront's contract with every Redis role behind sentinels, by its settings alone."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from doorbuster.embedded.data.addresses import sentinel_url
from doorbuster.embedded.stores.keepers import environment
from doorbuster.embedded.stores.sentinel import Sentinel
from doorbuster.embedded.stores.valkey import Valkey
from doorbuster.embedded.topology.sentinels import SentinelGroup
from doorbuster.ports import reserve
from tests.fixtures.contract import ENVIRONMENT, hold
from tests.fixtures.groups import kept
from tests.fixtures.up import Running, instance

pytestmark = pytest.mark.soak  # on clusters, whose jobs are behind sentinels, it is held in every run

PASSWORD = "for-tests-only"
ROLES = ("ORDERS", "ROOM", "JOBS", "CACHE")


@pytest.fixture(scope="module")
def urls() -> Iterator[dict[str, str]]:
    """A primary, a replica and three sentinels; every role has a database of its own there."""
    folder = Path(tempfile.mkdtemp(prefix="doorbuster-sentinels-"))
    more = {"masterauth": PASSWORD, "repl-diskless-sync-delay": "0"}
    servers = [
        Valkey("orders", folder / name, folder / f"{name}.log", port=reserve(), password=PASSWORD, more=more)
        for name in ("first", "second")
    ]
    sentinels = [
        Sentinel(folder / f"sentinel-{number}", folder / "sentinel.log", port=reserve(), password=PASSWORD, quorum=2)
        for number in range(3)
    ]
    try:
        with kept(SentinelGroup(servers, sentinels, folder / "primary.json", environment(), stop_s=20)):
            ports = [one.port for one in sentinels]
            yield {
                f"{role}_REDIS_URL": sentinel_url(ports, PASSWORD, database=number) for number, role in enumerate(ROLES)
            }
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def running(urls: dict[str, str]) -> Iterator[Running]:
    """An instance that is told of them, with a PostgreSQL of its own."""
    with instance("--workers", "1", env=ENVIRONMENT | urls | {"DURABILITY": "replicas:1"}) as one:
        yield one


def test_the_storefronts_contract_holds(running: Running) -> None:
    hold(running)


def test_none_of_its_redis_roles_is_its_own(running: Running) -> None:
    assert [running.ready["pids"][role] for role in ("orders", "room", "jobs", "cache")] == [None] * 4
