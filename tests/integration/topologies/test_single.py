"""The storefront's contract on one server a store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fixtures.contract import ENVIRONMENT, StorefrontContract
from tests.fixtures.up import Running, instance


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """An instance of single servers."""
    with instance("--workers", "2", env=ENVIRONMENT) as one:
        yield one


class TestOnSingleServers(StorefrontContract):
    """All of it."""
