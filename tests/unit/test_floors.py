"""The floors of the house: how many modules a folder has, and that tests lie at the path of what they hold."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.fixtures.files import files_under

ROOT = Path(__file__).parents[2]
ROOMS = ("doorbuster", "intake", "readiness", "waitingroom", "catalogue", "workers", "db", "loadtests")
MODULES_MAX = 15


def modules_by_folder() -> Counter[Path]:
    """Count the modules of each folder of the rooms, without those that only name a package."""
    files = [path for room in ROOMS for path in files_under(ROOT / room, "*.py") if path.name != "__init__.py"]
    return Counter(path.parent.relative_to(ROOT) for path in files)


def test_a_folder_has_few_modules() -> None:
    assert {folder: number for folder, number in modules_by_folder().items() if number > MODULES_MAX} == {}


@pytest.mark.parametrize("kind", ["unit", "integration"])
def test_tests_lie_at_the_path_of_what_they_hold(kind: str) -> None:
    folders = {
        path.parent.relative_to(ROOT / "tests" / kind) for path in files_under(ROOT / "tests" / kind, "test_*.py")
    }
    rooms = folders - {Path()}
    assert len(rooms) > len(ROOMS)
    assert sorted(str(folder) for folder in rooms if not (ROOT / folder).is_dir()) == []
