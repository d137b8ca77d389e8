"""Clusters of real servers: formed, formed again, and as they stand after a node died."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from doorbuster.embedded.stores.valkey_cluster import SLOTS, bring_together
from tests.fixtures.valkey_cluster import Cluster
from tests.fixtures.waiting import wait_until


def test_a_new_cluster_serves_every_slot_with_a_replica_each(cluster: Cluster) -> None:
    primaries = cluster.primaries()
    assert len(primaries) == 3
    assert len({cluster.replica_of(primary).port for primary in primaries}) == 3
    assert sum(len(one.slots) for one in cluster.seen() if one.is_primary) == SLOTS


def test_forming_it_again_changes_nothing(cluster: Cluster) -> None:
    before = {one.port: (one.primary_id, one.slots) for one in cluster.seen()}
    assert bring_together(cluster.nodes)
    assert {one.port: (one.primary_id, one.slots) for one in cluster.seen()} == before


def test_after_a_takeover_the_former_primary_comes_back_as_replica(cluster: Cluster) -> None:
    former = cluster.primary_of("key")
    with cluster.client(former) as client:
        client.set("key", "kept")
        assert client.wait(1, 2000) == 1
    cluster.kill(former)
    assert not bring_together(cluster.nodes)
    now = cluster.wait_taken_over(former, "key")
    cluster.whole()
    assert cluster.primary_of("key") is now
    assert cluster.replica_of(now) is former
    with cluster.client(now) as client:
        assert client.get("key") == "kept"


@pytest.fixture
def another(scratch: Path) -> Iterator[Cluster]:
    """A cluster of a test's own."""
    cluster = Cluster(scratch / "cluster")
    yield cluster
    cluster.stop()


@pytest.mark.soak
def test_one_killed_half_formed_and_started_elsewhere_is_formed_to_its_end(another: Cluster) -> None:
    for node in another.nodes:
        another.start(node)
    wait_until(lambda: all(node.is_ready() for node in another.nodes), what="the nodes to serve")
    assert not bring_together(another.nodes)  # some have met
    another.stop()
    another.whole()
    ids = {one.node_id for one in another.seen()}
    another.stop()
    another.move()
    another.whole()
    assert {one.node_id for one in another.seen()} == ids
    assert len(another.primaries()) == 3
