"""Connections that go to the open internet alone. Owns the check, which sees every address right before it is used.

A check of the URL would not do: a name may lead to another address each time it is looked up, and a literal address is
not looked up at all. TLS still checks the URL's name.
"""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from doorbuster.values.public_address import is_public

LOOK_UPS = 64
"""Names looked up at a time: those of one endpoint, whose servers do not answer, must hold up no other's."""


class RefusedAddressError(OSError):
    """An address is not of the open internet."""


def open_socket(address_info: tuple[Any, ...]) -> socket.socket:
    """Return a socket for an address that may be connected to.

    Raises:
        RefusedAddressError: it is none of the open internet.
    """
    family, kind, protocol, _, address = address_info
    if not is_public(address[0]):
        raise RefusedAddressError(f"the address {address[0]} is not of the open internet")
    return socket.socket(family, kind, protocol)


class Resolver(AbstractResolver):
    """Looks names up in threads of its own."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(LOOK_UPS, thread_name_prefix="webhook-names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return a name's addresses."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
        )
        return [
            ResolveResult(
                hostname=host, host=str(address[0]), port=int(address[1]), family=kind, proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, protocol, _, address in found
        ]  # fmt: skip

    async def close(self) -> None:
        """Let the threads end when they can."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def connector(*, allow_private: bool, resolver: AbstractResolver | None = None) -> aiohttp.TCPConnector:
    """Return what connects; how many at a time is the caller's to bound."""
    return aiohttp.TCPConnector(
        limit=0, resolver=resolver or Resolver(), socket_factory=None if allow_private else open_socket
    )
