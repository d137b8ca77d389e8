"""One word, one meaning, also among classes: no two rooms give the same name to different things."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

from tests.fixtures.files import files_under

ROOT = Path(__file__).parents[2]
ROOMS = ("doorbuster", "intake", "readiness", "waitingroom", "catalogue", "workers", "db")
"""Not `loadtests`: it sees the system from outside and names what it measures."""


def names_with_several_meanings(files: dict[str, str]) -> dict[str, list[str]]:
    """Return each name that classes of several files bear, with those files."""
    bearers: defaultdict[str, set[str]] = defaultdict(set)
    for file, source in files.items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                bearers[node.name].add(file)
    return {name: sorted(found) for name, found in bearers.items() if len(found) > 1}


def test_a_class_name_means_one_thing() -> None:
    files = [path for room in ROOMS for path in files_under(ROOT / room, "*.py")]
    assert names_with_several_meanings({str(path.relative_to(ROOT)): path.read_text() for path in files}) == {}


def test_a_name_with_two_meanings_is_found() -> None:
    files = {
        "a.py": "class Place: ...",
        "b.py": "def f():\n    class Place: ...",
        "c.py": "class Line: ...\nclass _Place: ...",
    }
    assert names_with_several_meanings(files) == {"Place": ["a.py", "b.py"]}
