"""A connection that keeps a loop from closing is cut off, and no other."""

from __future__ import annotations

import asyncio
import socket
import threading
import time

import pytest

from tests.fixtures.ending_loops import EndingLoop, cut_off, sockets


def pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        one = socket.create_connection(server.getsockname())
        other, _ = server.accept()
    return one, other


def test_connections_since_then_are_cut_off_and_no_others() -> None:
    mine, far = pair()
    before = sockets()
    late, later = pair()
    with mine, far, late, later:
        assert len(cut_off(before)) == 2
        assert late.recv(1) == later.recv(1) == b""
        mine.send(b"x")
        assert far.recv(1) == b"x"


def test_a_loop_that_closes_by_itself_is_left_alone() -> None:
    loop = EndingLoop()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    assert loop.is_closed()
    assert not [one for one in threading.enumerate() if isinstance(one, threading.Timer) and not one.finished.is_set()]


def test_a_connection_that_nobody_closed_is_closed_and_named() -> None:
    """Warnings are errors here: uvloop's own close would wait for it until it is cut off, and fail then."""
    loop = EndingLoop()
    with socket.create_server(("127.0.0.1", 0)) as server:
        loop.run_until_complete(loop.create_connection(asyncio.Protocol, *server.getsockname()))
        begun = time.monotonic()
        with pytest.raises(ResourceWarning, match=f"TCPTransport.*open were .*{server.getsockname()[1]}"):
            loop.close()
        assert time.monotonic() - begun < 5
        far, _ = server.accept()
        with far:
            assert far.recv(1) == b"", "it is closed, and no other test meets it"
    assert loop.is_closed()
