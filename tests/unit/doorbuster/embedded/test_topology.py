"""A data folder keeps the topology that it was made with, and refuses another without a change."""

from __future__ import annotations

from pathlib import Path

import pytest

from doorbuster.embedded.data.addresses import port_names, redis_urls
from doorbuster.embedded.data.folder import DataFolder, Topology
from doorbuster.embedded.plan import UpOptions, with_topology
from doorbuster.errors import InvalidError
from tests.fixtures.files import files_under


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    (tmp_path / "redis").mkdir()
    return DataFolder(tmp_path)


def contents(folder: DataFolder) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in files_under(folder.root, "*")}


@pytest.mark.parametrize("asked", [None, "single", "cluster"])
def test_a_new_folder_gets_what_is_asked_for_and_keeps_it(folder: DataFolder, asked: Topology | None) -> None:
    found = with_topology(folder, UpOptions(topology=asked)).topology
    assert found == (asked or "single")
    folder.secrets()
    assert with_topology(folder, UpOptions()).topology == with_topology(folder, UpOptions(topology=found)).topology


@pytest.mark.parametrize(
    ("had", "asked", "said"),
    [
        ("cluster", UpOptions(topology="single"), "has the topology cluster: its stores cannot become single"),
        ("single", UpOptions(topology="cluster"), "has the topology single: its stores cannot become cluster"),
        ("cluster", UpOptions(replicas=1), "--replicas are for the topology single"),
    ],
)
def test_another_is_refused_and_nothing_changed(folder: DataFolder, had: Topology, asked: UpOptions, said: str) -> None:
    with_topology(folder, UpOptions(topology=had))
    folder.secrets()
    before = contents(folder)
    with pytest.raises(InvalidError, match=said):
        with_topology(folder, asked)
    assert contents(folder) == before


def test_a_file_that_names_none_is_not_guessed_at(folder: DataFolder) -> None:
    (folder.root / "topology.json").write_text('{"topology": "ring"}')
    with pytest.raises(InvalidError, match="names no topology"):
        with_topology(folder, UpOptions())


def test_every_server_has_a_port_of_its_own_and_its_url_names_it(folder: DataFolder) -> None:
    names = port_names("cluster")
    assert len(names) == len(set(names)) == 2 * 3 * 6 + 2 + 3
    urls = redis_urls("cluster", {name: number for number, name in enumerate(names, 1)}, "secret")
    assert urls["orders"] == "redis+cluster://:secret@" + ",".join(f"127.0.0.1:{number}" for number in range(1, 7))
    assert urls["jobs"].startswith("redis+sentinel://:secret@127.0.0.1:39,127.0.0.1:40,127.0.0.1:41/jobs/0?")
    assert list(urls) == ["orders", "room", "cache", "jobs"]
