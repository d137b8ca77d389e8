"""What is closed to a user is found, wherever it lies; nothing is loaded to know that all is open."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from doorbuster.embedded.users import readable
from doorbuster.embedded.users.readable import unreadable

NOBODY = 65_534
IS_ROOT = os.geteuid() == 0
TOLD = dict.fromkeys(("ORDERS_REDIS_URL", "ROOM_REDIS_URL", "JOBS_REDIS_URL", "CACHE_REDIS_URL"), "redis://store") | {
    "DATABASE_URL": "postgresql://store", "OPS_KEY": "an-ops-key-for-tests", "ORDER_ID_KEY": "an-order-id-key-for-tests"
}  # fmt: skip


@pytest.fixture
def library() -> Iterator[Path]:
    """A folder as packages lie in, which every user passes to."""
    with tempfile.TemporaryDirectory(prefix="doorbuster-readable-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        for below in ("package/part", "package/__pycache__", ".venv"):
            (folder / below).mkdir(parents=True)
            (folder / below / "file").write_text("read me")
        yield folder


@contextmanager
def somebody() -> Iterator[None]:
    """Be no root, who may read everything."""
    if IS_ROOT:
        os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        if IS_ROOT:
            os.setresuid(0, 0, 0)


def test_what_is_open_is(library: Path) -> None:
    with somebody():
        assert unreadable([library, library / "package" / "part" / "file"]) is None


@pytest.mark.parametrize("closed", ["package", "package/part", "package/part/file"])
def test_what_is_closed_is_named_however_deep(library: Path, closed: str) -> None:
    (library / closed).chmod(0)
    with somebody():
        found = unreadable([library])
    (library / closed).chmod(0o755)
    assert found == library / closed


@pytest.mark.parametrize("closed", ["package/__pycache__", "package/__pycache__/file", ".venv", ".venv/file"])
def test_what_nothing_is_loaded_from_may_be_closed(library: Path, closed: str) -> None:
    (library / closed).chmod(0)
    with somebody():
        found = unreadable([library])
    (library / closed).chmod(0o755)
    assert found is None


def test_only_where_something_is_closed_is_all_of_it_loaded(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in TOLD.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "path", [str(library), "/no/such/folder"])
    monkeypatch.setattr(readable, "_MODULES", ("not_there",))
    with somebody():
        assert readable.main([]) == ""
    (library / "package" / "part" / "file").chmod(0)
    with somebody(), pytest.raises(ModuleNotFoundError, match="not_there"):
        readable.main([])
