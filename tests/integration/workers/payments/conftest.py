"""What the tests of an order's life share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis

from db.connections.pool import Connection
from doorbuster.settings import Settings
from tests.fixtures.life.world import World
from tests.integration.workers.payments.life_machine import Stores
from workers.payments import money, settle


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that finds nothing to do does not wait for something."""
    for module in (settle, money):
        monkeypatch.setattr(module, "POLL_S", 0.001)


@pytest.fixture
def stores(database_url: str, settings: Settings, impatient: None) -> Iterator[Stores]:
    stores = Stores(database_url, settings)
    yield stores
    stores.close()


@pytest.fixture
async def open_world(
    db: Connection, database_url: str, settings: Settings, orders_redis: Redis, impatient: None
) -> AsyncIterator[World]:
    """A small shop that is not open yet."""
    world = World(db, database_url, settings, orders_redis)
    yield world
    await world.close()


@pytest.fixture
async def world(open_world: World) -> AsyncIterator[World]:
    """The same; whatever a test did there, all promises hold afterwards, and at rest."""
    yield open_world
    assert await open_world.rest() == []
