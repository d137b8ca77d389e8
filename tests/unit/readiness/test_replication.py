"""Which switch of the order store is safe, by what a primary says of its replicas."""

from __future__ import annotations

import pytest

from readiness.replication import Replica, Replication, replication_of, switch_words

NEAR = Replica(("10.0.0.2", 6379), "online", 0, 0)
FAR = Replica(("10.0.0.3", 6379), "online", 4_000, 1)
SILENT = Replica(("10.0.0.4", 6379), "online", 0, 30)
SYNCING = Replica(("10.0.0.5", 6379), "send_bulk", 0, 0)


@pytest.mark.parametrize(
    "said",
    [
        "{'ip': '10.0.0.3', 'port': 6379, 'state': 'online', 'offset': 100, 'lag': 1, 'type': 'replica'}",
        "ip=10.0.0.3,port=6379,state=online,offset=100,lag=1,type=replica",
    ],
)
def test_a_replica_is_read_as_the_client_or_the_server_writes_it(said: str) -> None:
    info = {"role": "master", "master_repl_offset": "4100", "connected_slaves": "1", "slave0": said}
    assert replication_of(info) == Replication("master", False, [FAR])


def test_a_server_that_says_nothing_has_no_replicas() -> None:
    assert replication_of({}) == Replication("", False, [])


@pytest.mark.parametrize(
    ("replicas", "level", "words"),
    [
        ([], "fsync", "no switch: there is no replica"),
        ([SILENT, SYNCING], "replicas:1", "no switch now: none of 2 replicas follows"),
        ([FAR, NEAR], "replicas:1", "FAILOVER TO 10.0.0.2 6379"),
        ([FAR], "fsync", "a crash loses what the replica does not have, now 4000 bytes"),
        ([NEAR, FAR], "replicas:2", "a crash loses nothing: each order is on every replica"),
        ([NEAR, FAR], "replicas:1", "a crash loses nothing if the replica that has most takes over"),
        ([NEAR], "none", "never REPLICAOF NO ONE"),
    ],
)
def test_it_says_which_switch_is_safe_and_why(replicas: list[Replica], level: str, words: str) -> None:
    assert words in switch_words(Replication("master", False, replicas), level)


def test_of_a_cluster_it_names_the_replica_to_be_asked() -> None:
    words = switch_words(Replication("master", True, [NEAR]), "replicas:1")
    assert words.startswith("safe: CLUSTER FAILOVER on 10.0.0.2:6379, never with FORCE or TAKEOVER")
