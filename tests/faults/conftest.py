"""What fault tests share: one running instance a module, and whole again before the next test."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from doorbuster.embedded import leftovers
from tests.fixtures.facts import Facts
from tests.fixtures.up import Running, launch


@pytest.fixture(scope="module")
def instance() -> Iterator[Running]:
    """One instance for all tests of a module."""
    folder = Path(tempfile.mkdtemp(prefix="doorbuster-faults-"))
    running: Running | None = None
    try:
        running = launch(folder / "data")
        yield running
    finally:
        if running is not None:
            if running.process.poll() is None:
                running.kill_everything()
            running.close()
        leftovers.sweep(folder / "data")
        shutil.rmtree(folder)


@pytest.fixture
def running(instance: Running) -> Running:
    """The module's instance, whole again after whatever the test before did to it."""
    instance.wait_ready()
    return instance


@pytest.fixture
def facts(running: Running) -> Facts:
    """Questions to the instance's stores."""
    return Facts(running)
