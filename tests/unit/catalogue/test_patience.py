"""Products are asked for again where servers have too much to do, and not where there is none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from catalogue.cache import read_through
from catalogue.cache.floors import MinVersions
from catalogue.cache.read_through import CopyBounds, Loaded, Reader, ReadSource
from db.connections.replicas import LateReadError
from doorbuster.errors import StoreUnavailableError


class FailingServers:
    """Fails as told, then answers."""

    latency_s = 0.001

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.asked = 0

    async def read(self, work: Callable[[Any, int], Awaitable[Any]], *, lsn: int = 0) -> Any:
        self.asked += 1
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


def reader(servers: FailingServers) -> Reader:
    floors, bounds = MinVersions(keep_s=60), CopyBounds(10, 10**6)
    return Reader(AbsentCache(), servers, floors, fresh_s=1, bounds=bounds)  # type: ignore[arg-type]


LAMP = ReadSource("product:lamp", "item", load, "lamp", load_many=load_many)


async def test_late_servers_are_asked_again() -> None:
    servers = FailingServers(LateReadError("late"), LateReadError("late"))
    assert (await reader(servers).get(LAMP)).body == b"lamp"
    assert servers.asked == 3


async def test_servers_that_stay_late_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_through, "PATIENCE_S", 0.0)
    with pytest.raises(StoreUnavailableError):
        await reader(FailingServers(*(LateReadError("late") for _ in range(9)))).get(LAMP)


async def test_servers_that_are_away_are_not_asked_again() -> None:
    servers = FailingServers(*(StoreUnavailableError("away") for _ in range(9)))
    with pytest.raises(StoreUnavailableError):
        await reader(servers).get(LAMP)
    assert servers.asked == 1
