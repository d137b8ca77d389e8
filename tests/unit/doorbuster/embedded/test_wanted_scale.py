"""A supervisor takes whole numbers within bounds from the file of a wish, and nothing else that may stand there."""

from __future__ import annotations

from pathlib import Path

import pytest

from doorbuster.embedded.data import wanted_scale


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    wanted_scale.wanted_folder(tmp_path).mkdir()
    return tmp_path


def test_a_wish_is_read_as_it_was_written(folder: Path) -> None:
    assert wanted_scale.read_wanted(folder) == {}
    wanted_scale.write_wanted(folder, {"intake": 3, "workers": 8})
    assert wanted_scale.read_wanted(folder) == {"intake": 3, "workers": 8}
    wanted_scale.write_wanted(folder, {})
    assert wanted_scale.read_wanted(folder) == {}


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ('{"intake": 100000}', {"intake": wanted_scale.MOST}),
        ('{"intake": 0, "workers": -1}', {}),
        ('{"intake": true, "workers": "8", "scheduler": 9}', {}),
        ('{"intake": 2.5}', {}),
        ("[1]", {}),
        ("", {}),
        ("\xff", {}),
    ],
)
def test_anything_else_is_no_wish(folder: Path, text: str, taken: dict[str, int]) -> None:
    (wanted_scale.wanted_folder(folder) / "wanted.json").write_bytes(text.encode("latin-1"))
    assert wanted_scale.read_wanted(folder) == taken


def test_a_link_to_elsewhere_is_not_followed(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text('{"workers": 5}')
    (wanted_scale.wanted_folder(folder) / "wanted.json").symlink_to(other)
    assert wanted_scale.read_wanted(folder) == {}
