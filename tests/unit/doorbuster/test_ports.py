"""Ports: one that is reserved is its server's, whatever else asks the system for a port meanwhile."""

from __future__ import annotations

import errno
import os
import socket

import pytest

from doorbuster.ports import reserve

IN_USE = os.strerror(errno.EADDRINUSE)


def listen(port: int, host: str = "127.0.0.1", *, by_number: bool = True) -> socket.socket:
    """Listen as a server does; not `by_number`: as one does that does not know of the reservation."""
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, by_number)
    try:
        listening.bind((host, port))
        listening.listen(1)
    except OSError:
        listening.close()
        raise
    return listening


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_reserved_port_is_kept_for_the_server_that_asks_for_it(host: str) -> None:
    port = reserve(host)
    with pytest.raises(OSError, match=IN_USE):
        listen(port, host, by_number=False)
    listen(port, host).close()


def test_a_port_that_was_only_seen_free_is_kept_for_nobody() -> None:
    with listen(0) as seen:
        port = seen.getsockname()[1]
    listen(port, by_number=False).close()


def test_a_port_is_reserved_again_for_who_had_it() -> None:
    port = reserve()
    listen(port).close()
    assert reserve(port=port) == port


def test_a_taken_port_is_not_reserved() -> None:
    with listen(0) as taken, pytest.raises(OSError, match=IN_USE):
        reserve(port=taken.getsockname()[1])
