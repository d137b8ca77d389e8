"""The files are shared out so that what uses one costly thing stays together and what takes long comes first."""

from __future__ import annotations

import pytest

from tests.fixtures.files import files_under
from tests.fixtures.sharing_out import LONG, ROOT, TOGETHER, rank, share


@pytest.mark.parametrize("place", LONG)
def test_every_name_is_of_tests_that_are_there(place: str) -> None:
    found = [path.relative_to(ROOT).as_posix() for path in files_under(ROOT / "tests", "test_*.py")]
    assert any(one.startswith(place) for one in found)


@pytest.mark.parametrize("folder", TOGETHER)
def test_what_belongs_together_goes_to_one_process_before_all_others(folder: str) -> None:
    files = [path.relative_to(ROOT).as_posix() for path in files_under(ROOT / folder, "test_*.py")]
    assert {share(file) for file in files} == {folder}
    assert len({rank(file) for file in files}) == 1, "another file would come between them"
    assert rank(files[0]) < rank("tests/integration/test_readme.py")


def test_any_other_file_goes_by_itself_and_what_is_short_last() -> None:
    assert share("tests/unit/test_house.py") == "tests/unit/test_house.py"
    assert rank("tests/unit/test_house.py") == len(LONG)
