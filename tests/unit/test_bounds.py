"""Nothing a test does lets a run hang: each of these would."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HANGS = """
import asyncio, signal, threading, time
import pytest, uvloop
from hypothesis import given, strategies

@pytest.fixture
def never_ends():
    yield
    threading.Event().wait()

def test_its_fixture_hangs_after_a_failure(never_ends):
    assert not "a failure"

def test_it_takes_the_alarm_for_itself():
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 0)
    threading.Event().wait()

@given(strategies.integers())
def test_an_example_that_never_ends(number):
    while True:
        time.sleep(0.01)

def test_a_loop_whose_tasks_do_not_let_go():
    async def wait():
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass
    asyncio.run(wait())

def test_the_loop_that_intakes_have():
    async def wait():
        await asyncio.Event().wait()
    uvloop.run(wait())

async def test_a_task_swallows_the_first():
    async def swallow():
        try:
            while True:
                time.sleep(0.001)
        except BaseException:
            pass
    asyncio.create_task(swallow())
    await asyncio.sleep(0)
    await asyncio.Event().wait()

def test_the_next_is_whole():
    pass
"""
CONFTEST = """
from tests.fixtures import bounds
from tests.fixtures.bounds import *
bounds.AGAIN_S = 1
"""

PLUGINS = ("pytest_timeout", "pytest_asyncio.plugin", "_hypothesis_pytestplugin")
"""The only ones of what is installed that a run here loads: all of them take longer than it."""


def _run(folder: Path, tests: str, **ini: str) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_hangs.py").write_text(tests)
    (folder / "pytest.ini").write_text("\n".join(["[pytest]", "asyncio_mode = auto", *map(" = ".join, ini.items())]))
    plugins = [part for name in PLUGINS for part in ("-p", name)]
    command = [sys.executable, "-m", "pytest", *plugins, "-p", "no:cacheprovider", "-q", "-c", "pytest.ini"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=90, check=False)


@pytest.mark.timeout(100)
def test_what_hangs_is_interrupted_until_it_ends_and_the_next_goes_on(tmp_path: Path) -> None:
    ran = _run(tmp_path, HANGS, timeout="1")
    assert "6 failed, 1 passed, 1 error" in ran.stdout, ran.stdout + ran.stderr
    assert "TookTooLongError: test_hangs.py::test_an_example_that_never_ends has had 1 s" in ran.stdout


@pytest.mark.timeout(100)
def test_a_fixture_that_is_interrupted_takes_none_with_it_but_those_that_want_it(tmp_path: Path) -> None:
    hangs_once = """
import pytest, threading

@pytest.fixture(scope="session")
def server():
    threading.Event().wait()

@pytest.fixture(params=["without", "with", "without"])
def shop(request):
    return request.getfixturevalue("server") if request.param == "with" else None

def test_one(shop):
    pass

def test_two(shop):
    pass
"""
    ran = _run(tmp_path, hangs_once, timeout="1")
    assert "4 passed, 2 errors" in ran.stdout, ran.stdout + ran.stderr
    assert ran.stdout.count("has had 1 s") == ran.stdout.count("TookTooLongError: ") > 0
    assert "AssertionError" not in ran.stdout


@pytest.mark.timeout(100)
def test_an_end_that_is_interrupted_lets_the_others_end_too(tmp_path: Path) -> None:
    hangs_at_its_end = """
import pytest, threading

made = []

@pytest.fixture
def shop():
    made.append("a shop of one test's own")
    yield len(made)

@pytest.fixture
def night(shop):
    yield
    threading.Event().wait()

def test_one(night):
    pass

def test_two(shop):
    assert shop == 2

def test_three(shop):
    assert shop == 3
"""
    ran = _run(tmp_path, hangs_at_its_end, timeout="1")
    assert "3 passed, 1 error" in ran.stdout, ran.stdout + ran.stderr


@pytest.mark.timeout(100)
def test_what_no_interruption_ends_ends_its_process_also_after_a_failure(tmp_path: Path) -> None:
    deaf = """
import pytest, time

@pytest.fixture
def deaf():
    yield
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass

def test_it_fails(deaf):
    assert False
"""
    ran = _run(tmp_path, deaf, timeout="0.3", faulthandler_timeout="1.5", faulthandler_exit_on_timeout="true")
    assert (ran.returncode, "in deaf" in ran.stderr) == (1, True), ran.stdout + ran.stderr
