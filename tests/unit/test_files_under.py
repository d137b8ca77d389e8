"""The rules of the house look as deep as files lie, and see when they look at nothing."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.fixtures.files import files_under

TESTS = Path(__file__).parents[1]
SHALLOW = {"glob", "rglob", "iterdir", "listdir", "scandir"}


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    for name in ("a.lua", "scripts/b.lua", "scripts/shared/c.lua", "scripts/shared/again/d.lua", "__pycache__/e.lua"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_files_are_found_at_any_depth(deep: Path) -> None:
    assert {path.stem for path in files_under(deep, "*.lua")} == {"a", "b", "c", "d"}
    assert {path.stem for path in files_under(deep, "*.lua", but=("shared",))} == {"a", "b"}


def test_to_find_nothing_is_an_error(deep: Path) -> None:
    with pytest.raises(AssertionError, match="looks at nothing"):
        files_under(deep, "*.sql")
    with pytest.raises(AssertionError, match="looks at nothing"):
        files_under(deep / "moved", "*.lua")


def _shallow(source: str) -> list[str]:
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [call.func.attr for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr in SHALLOW]


def test_a_shallow_look_is_seen() -> None:
    assert _shallow("sorted(path for path in ROOT.glob('*.py'))") == ["glob"]


@pytest.mark.parametrize("path", files_under(TESTS / "unit", "*.py"), ids=lambda path: path.stem)
def test_rules_look_for_files_in_this_way_alone(path: Path) -> None:
    assert _shallow(path.read_text()) == []
