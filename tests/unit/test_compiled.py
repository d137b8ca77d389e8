"""The tests are compiled once, before the processes begin that run them."""

from __future__ import annotations

from pathlib import Path

import pytest
from _pytest.assertion import rewrite

from tests.fixtures import compiled

pytestmark = pytest.mark.versions


def _kept(file: Path) -> Path:
    return file.parent / "__pycache__" / f"{file.stem}{rewrite.PYC_TAIL}"


def test_pytest_takes_what_was_compiled_for_its_own(tmp_path: Path) -> None:
    file = tmp_path / "test_some.py"
    file.write_text("def test_some():\n    assert 1 == 2\n")
    compiled.compile_tests([file])
    code = rewrite._read_pyc(file, _kept(file))
    assert code is not None
    assert "@pytest_ar" in code.co_names, "its asserts say nothing"


class _Asked:
    """What is looked at of a run's configuration."""

    def __init__(self, folder: Path, *args: str) -> None:
        self.args = [*args]
        self.invocation_params = pytest.Config.InvocationParams(args=args, plugins=None, dir=folder)


def test_all_that_is_asked_for_is_compiled_and_nothing_twice(tmp_path: Path) -> None:
    files = [tmp_path / "one" / "test_a.py", tmp_path / "one" / "deep" / "test_b.py", tmp_path / "test_c.py"]
    for file in (*files, other := tmp_path / "test_d.py"):
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_text("")
    asked: object = _Asked(tmp_path, "one", "test_c.py::test_it")
    compiled.pytest_xdist_setupnodes(asked)  # type: ignore[arg-type]
    assert all(_kept(file).exists() for file in files)
    assert not _kept(other).exists()
    made = _kept(files[0]).stat().st_ino
    compiled.pytest_xdist_setupnodes(asked)  # type: ignore[arg-type]
    assert _kept(files[0]).stat().st_ino == made


def test_what_cannot_be_compiled_is_left_to_who_collects_it(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "test_wrong.py"
    file.write_text("def test_wrong(:\n")
    asked: object = _Asked(tmp_path, "test_wrong.py")
    compiled.pytest_xdist_setupnodes(asked)  # type: ignore[arg-type]
    assert not _kept(file).exists()
    assert "SyntaxError" in capfd.readouterr().err
