"""The files are shared out so that what uses one costly thing stays together and what takes long comes first."""

from __future__ import annotations

import os
import subprocess
import sys
from getpass import getuser
from pathlib import Path
from textwrap import dedent

import pytest

from tests.fixtures.files import files_under
from tests.fixtures.sharing_out import LONG, ROOT, TOGETHER, rank, share

ALONE = {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
"""A run with no plugin but those it names: each of its processes would load all that are installed."""


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


@pytest.mark.parametrize("left", [0, 1, 2])
def test_a_run_ends_in_which_a_test_took_its_process_along(tmp_path: Path, left: int) -> None:
    """Whatever is left of its file, and of those that the process was to do behind it."""
    rest = "".join(f"def test_rest_{number}(): pass\n" for number in range(left))
    files = {
        "conftest.py": """
            from tests.fixtures.sharing_out import Shares

            def pytest_xdist_make_scheduler(config, log):
                return Shares(config, log)
        """,
        "test_a.py": """
            import os

            def test_first(): pass
            def test_takes_its_process_along(): os._exit(1)
        """,
        "test_b.py": "def test_other(): pass",
        "test_c.py": "def test_other(): pass",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(dedent(text) + rest * (name == "test_a.py"))
    plugins = ["-p", "xdist.plugin", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(tmp_path)]
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadfile", *plugins, str(tmp_path)]
    # Files of its own: a run that begins closes the folder of all runs to other users, and with it what an instance of
    # another test has opened of it to the user that it runs as.
    own = ALONE | {"PYTEST_DEBUG_TEMPROOT": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | own, capture_output=True, text=True, timeout=60)
    assert (tmp_path / f"pytest-of-{getuser()}").is_dir(), "it keeps its files elsewhere"
    assert f"1 failed, {3 + left} passed" in done.stdout, done.stdout
