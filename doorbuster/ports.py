"""Ports for servers that are started in a moment. Owns how one is found free, and kept free until then."""

from __future__ import annotations

import socket

LOOPBACK = "127.0.0.1"


def reserve(host: str = LOOPBACK, port: int = 0) -> int:
    """Return the port, or a free one for 0, that nobody else is given in the minute in which its server starts.

    A port that was merely seen free may be the local end of anybody's connection a moment later. A connection that this
    side closed first leaves it in TIME_WAIT: the system gives such a port to nobody who does not ask for it by number,
    and a server that sets SO_REUSEADDR, as all of ours do, may listen on it. The idea is ephemeral-port-reserve's.

    Raises:
        OSError: the port is taken, or may not be listened on here.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(1)
        address = listening.getsockname()
        with socket.create_connection(address[:2]), listening.accept()[0]:
            number: int = address[1]
            return number
