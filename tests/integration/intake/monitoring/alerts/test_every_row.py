"""Every row of the runbook's tables has its walk in this folder: a new row without one fails here.

A test says by the mark `walks` which row it walks. The files are read and not imported: each test is its own.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.runbook import heads_of, section, sections

ROWS = [(name, cell) for name in sections() for cell in heads_of(name)]
NOT_MADE: dict[tuple[str, str], str] = {}
"""Rows that cannot be made on one machine, each with the reason; the fewer the better."""


def _walked() -> Iterator[tuple[str, str]]:
    """Yield the row that each test of the folder walks."""
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        tree = ast.parse(path.read_text())
        named = {
            target.id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for test in tree.body:
            if isinstance(test, ast.AsyncFunctionDef) and test.name.startswith("test_"):
                for mark in test.decorator_list:
                    if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.walks":
                        name, cell = (_text(one, named) for one in mark.args)
                        yield name, cell


def _text(node: ast.expr, named: dict[str, object]) -> str:
    return str(named[node.id] if isinstance(node, ast.Name) else ast.literal_eval(node))


def test_every_row_is_walked_and_no_other() -> None:
    walked = set(_walked())
    assert set(ROWS) - walked - set(NOT_MADE) == set(), "rows without their walk"
    assert walked - set(ROWS) == set(), "walks of rows that there are not"
    assert walked & set(NOT_MADE) == set(), "made after all"


def test_a_row_stands_once() -> None:
    assert len(set(ROWS)) == len(ROWS)


@pytest.mark.parametrize("name", sections())
def test_a_section_has_rows_or_says_it_in_words(name: str) -> None:
    """Sections with rows are known by them: a table that could not be read must not pass for none."""
    assert bool(heads_of(name)) is ("|---" in section(name))
