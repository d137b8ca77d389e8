"""What fault tests share: one running instance a module, and whole again before the next test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fixtures.facts import Facts
from tests.fixtures.up import Running, instance


@pytest.fixture(scope="module")
def shared() -> Iterator[Running]:
    """One instance for all tests of a module."""
    with instance() as running:
        yield running


@pytest.fixture
def running(shared: Running) -> Running:
    """The module's instance, whole again after whatever the test before did to it."""
    shared.wait_ready()
    return shared


@pytest.fixture
def facts(running: Running) -> Facts:
    """Questions to the instance's stores."""
    return Facts(running)
