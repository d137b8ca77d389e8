"""What hangs is ended, whatever it makes of being interrupted."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

HANGING = """
import asyncio, time
import pytest
from hypothesis import given, strategies as st

def test_in_a_call():
    try:
        time.sleep(60)
    except Exception:
        time.sleep(60)

@given(st.integers(0, 1000))
def test_drawn(number):
    time.sleep(60)

def test_in_a_loop():
    async def wait():
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass
    asyncio.run(wait())

@pytest.fixture
def never_down():
    yield
    time.sleep(60)

def test_with_a_fixture(never_down):
    time.sleep(60)
"""
PLUGIN = "from tests.fixtures import over_time\nfrom tests.fixtures.over_time import *\nover_time.AGAIN_S = 1\n"


def test_what_hangs_is_ended_and_named(tmp_path: Path) -> None:
    (tmp_path / "test_hanging.py").write_text(HANGING)
    (tmp_path / "conftest.py").write_text(PLUGIN)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "--timeout", "0.5"]
    done = subprocess.run(
        [*argv, "--rootdir", str(tmp_path), str(tmp_path)], capture_output=True, timeout=60, text=True,
        env=os.environ | {"COLUMNS": "500"},
    )  # fmt: skip
    for name in ("in_a_call", "drawn", "in_a_loop", "with_a_fixture"):
        assert re.search(rf"^FAILED \S+::test_{name} - .*OverTime", done.stdout, re.MULTILINE), done.stdout
    assert re.search(r"^ERROR \S+::test_with_a_fixture - .*OverTime", done.stdout, re.MULTILINE), done.stdout
    assert "4 failed, 1 error" in done.stdout.splitlines()[-1]
