"""Products are asked for again where servers have too much to do, and not where there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from catalogue.cache import read_through
from catalogue.cache.floors import MinVersions
from catalogue.cache.read_through import CopyBounds, Loaded, Reader, ReadSource
from catalogue.cache.subjects import MinVersion
from db.connections.replicas import LateReadError
from doorbuster.errors import StoreUnavailableError


class FailingServers:
    """Fails as told, then answers."""

    latency_s = 0.001

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.asked = 0
        self.positions: list[int] = []

    async def read(self, work: Callable[[Any, int], Awaitable[Any]], *, lsn: int = 0) -> Any:
        self.asked += 1
        self.positions.append(lsn)
        if self.failures:
            raise self.failures.pop(0)
        return await work(None, lsn)


class AbsentCache:
    """A shared cache that is away."""

    async def look(self, *_: object) -> None:
        return None


async def load_many(_connection: Any, product_ids: Sequence[str]) -> list[Loaded]:
    return [Loaded(1, one.encode()) for one in product_ids]


async def load(_connection: Any, _lsn: int) -> Loaded:
    raise AssertionError("products are read together")


async def load_newer(_connection: Any, _lsn: int) -> Loaded:
    return Loaded(2, b"a newer lamp")


def reader(servers: FailingServers) -> Reader:
    floors, bounds = MinVersions(keep_s=60), CopyBounds(10, 10**6)
    return Reader(AbsentCache(), servers, floors, fresh_s=1, bounds=bounds)  # type: ignore[arg-type]


LAMP = ReadSource("product:lamp", "item", load, "lamp", load_many=load_many)


async def test_late_servers_are_asked_again() -> None:
    servers = FailingServers(LateReadError("late"), LateReadError("late"))
    assert (await reader(servers).get(LAMP)).body == b"lamp"
    assert servers.asked == 3


async def test_each_late_answer_for_a_product_is_told() -> None:
    told: list[None] = []
    reading = reader(FailingServers(LateReadError("late"), LateReadError("late")))
    reading.on_late_product = lambda: told.append(None)
    await reading.get(LAMP)
    assert len(told) == 2


async def test_products_that_have_just_changed_are_read_together_too() -> None:
    servers = FailingServers()
    reading = reader(servers)
    wanted = [ReadSource(f"product:{n}", "item", load, str(n), load_many=load_many) for n in range(40)]
    reading.outdate({one.subject: MinVersion(1, 7_000) for one in wanted})
    assert [one.body for one in await asyncio.gather(*map(reading.get, wanted))] == [b"%d" % n for n in range(40)]
    assert servers.asked <= 3


async def test_a_version_below_the_floor_is_read_where_the_floor_shows() -> None:
    servers = FailingServers()
    reading = reader(servers)
    lamp = LAMP._replace(load=load_newer)
    reading.outdate({lamp.subject: MinVersion(2, 7_000)})
    assert (await reading.get(lamp)).version == 2
    assert servers.positions == [0, 7_000]


async def test_servers_that_stay_late_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_through, "PATIENCE_S", 0.0)
    with pytest.raises(StoreUnavailableError):
        await reader(FailingServers(*(LateReadError("late") for _ in range(9)))).get(LAMP)


async def test_servers_that_are_away_are_not_asked_again() -> None:
    servers = FailingServers(*(StoreUnavailableError("away") for _ in range(9)))
    with pytest.raises(StoreUnavailableError):
        await reader(servers).get(LAMP)
    assert servers.asked == 1
