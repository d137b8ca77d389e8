"""How far a replica is behind is told from when it was asked; how long its answer took is no lag."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from db.connections.read_server import Server
from db.connections.replicas import Replicas

pytestmark = pytest.mark.versions


def answer(monkeypatch: pytest.MonkeyPatch, server: Server, said: object, *, after_s: float = 0.0) -> None:
    """Let looks at a server be answered so."""

    async def look(_ask: Callable[[Any], Awaitable[Any]]) -> object:
        await asyncio.sleep(after_s)
        return said

    monkeypatch.setattr(server, "look", look)


async def test_a_late_answer_is_no_lag_and_a_position_left_behind_is(monkeypatch: pytest.MonkeyPatch) -> None:
    replicas = Replicas("primary", ["replica"], lag_max_s=0.2, primary_max=1, timeout_s=1.0)
    (replica,) = replicas.replicas
    answer(monkeypatch, replicas.primary, 100)
    answer(monkeypatch, replica, {"lsn": 100, "in_recovery": True, "timeline": 0})
    await replicas.look()
    assert replica.usable
    answer(monkeypatch, replicas.primary, 200)
    answer(
        monkeypatch, replica, {"lsn": 100, "in_recovery": True, "timeline": 0}, after_s=0.3
    )  # a moment behind, and told late
    await replicas.look()
    assert replica.usable
    await replicas.look()
    assert not replica.usable
    answer(monkeypatch, replica, {"lsn": 200, "in_recovery": True, "timeline": 0})
    await replicas.look()
    assert replica.usable
