"""How an order store of several servers is judged: what one lacks holds up no other."""

from __future__ import annotations

from typing import Any, cast

import pytest

from doorbuster.orderstore import server
from doorbuster.orderstore.server import KeptData
from readiness.durability import judge

CONFIG = {
    "appendonly": "yes", "appendfsync": "always", "no-appendfsync-on-rewrite": "no", "maxmemory-policy": "noeviction",
}  # fmt: skip
REPLICA = "ip=127.0.0.1,port=1,state=online,offset=9,lag=0"
WHOLE = {"role": "master", "cluster_enabled": "1", "master_repl_offset": "9", "slave0": REPLICA, "aof_enabled": "1",
         "aof_last_write_status": "ok"}  # fmt: skip
ALONE = {name: value for name, value in WHOLE.items() if name != "slave0"}
DEMOTED = ALONE | {"role": "slave"}
AWAY: dict[str, str] = {}


async def judged(monkeypatch: pytest.MonkeyPatch, level: str, *infos: dict[str, str], **config: str) -> Any:
    async def kept(*_: object) -> list[KeptData]:
        return [KeptData(f"node-{n}", info, CONFIG | config, cast("Any", None)) for n, info in enumerate(infos)]

    async def settings(*_: object) -> dict[str, str]:
        return CONFIG

    monkeypatch.setattr(server, "kept_data", kept)
    monkeypatch.setattr(server, "replica_settings", settings)
    return await judge(cast("Any", None), level)


@pytest.mark.parametrize(
    ("info", "words"),
    [
        (AWAY, "node-1: it does not answer"),
        (ALONE, "node-1: connected replicas are 0, must be 1"),
        (DEMOTED, "node-1: it is a replica, must be a primary"),
    ],
)
async def test_what_one_lacks_is_noted_and_what_all_lack_refused(
    monkeypatch: pytest.MonkeyPatch, info: dict[str, str], words: str
) -> None:
    said = await judged(monkeypatch, "replicas:1", WHOLE, info, WHOLE)
    assert said.faults == []
    assert any(note.startswith(words) for note in said.notes), said.notes
    assert len((await judged(monkeypatch, "replicas:1", info, info)).faults) == 2


async def test_one_that_does_not_sync_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    said = await judged(monkeypatch, "fsync", WHOLE, WHOLE, appendfsync="everysec")
    assert said.faults == [f"node-{n}: appendfsync is everysec, must be always" for n in (0, 1)]


async def test_what_holds_of_all_servers_is_noted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    said = await judged(monkeypatch, "replicas:1", WHOLE, WHOLE, **{"cluster-require-full-coverage": "yes"})
    assert len(said.notes) == 2
    assert not any(note.startswith("node-") for note in said.notes)
    assert any("cluster-require-full-coverage is yes" in note for note in said.notes)
