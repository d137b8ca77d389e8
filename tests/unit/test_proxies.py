"""The proxy of the tests leaves no connection behind for another test to be complained to about."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
import warnings
from contextlib import suppress
from typing import Any

import pytest

from tests.fixtures.proxy import Proxy


def test_a_connection_that_is_taken_as_it_ends_is_closed_too() -> None:
    go_on = threading.Event()
    with warnings.catch_warnings(record=True) as told, socket.create_server(("127.0.0.1", 0)) as server:
        warnings.simplefilter("always")
        with Proxy(f"redis://127.0.0.1:{server.getsockname()[1]}") as proxy:
            proxy._loop.call_soon_threadsafe(go_on.wait, 10)
            late = socket.create_connection(("127.0.0.1", proxy.port))  # the system takes it, the proxy will
            ends = threading.Timer(0.2, go_on.set)
            ends.start()
        ends.join()
        with late:
            late.settimeout(5)
            with suppress(ConnectionResetError):
                assert late.recv(1) == b""
        del proxy
        gc.collect()
    assert [str(one.message) for one in told] == []


def test_a_connection_that_is_not_handed_over_yet_as_it_ends_is_closed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    taken, ending = threading.Event(), asyncio.Event()
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        Proxy(f"redis://127.0.0.1:{server.getsockname()[1]}") as proxy,
    ):
        hand_over, close = proxy._loop._accept_connection2, proxy._close  # type: ignore[attr-defined]

        async def hand_over_late(*which: Any, **how: Any) -> None:
            taken.set()
            await ending.wait()
            await hand_over(*which, **how)

        async def say_so_and_close() -> None:
            ending.set()
            await close()

        monkeypatch.setattr(proxy._loop, "_accept_connection2", hand_over_late)
        monkeypatch.setattr(proxy, "_close", say_so_and_close)
        late = socket.create_connection(("127.0.0.1", proxy.port))
        assert taken.wait(10)
    with late:
        late.settimeout(5)
        with suppress(ConnectionResetError):
            assert late.recv(1) == b""
