"""The guard of every load run: only this machine may be a target. Never resolves to, or talks to, another host."""

from __future__ import annotations

import ipaddress
import socket
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit


class NotLoopbackError(ValueError):
    """The target is not this machine: a load run refuses it."""


class Target(NamedTuple):
    """Where a run sends its requests."""

    host: str
    """A loopback address."""
    port: int


def target_of(url: str) -> Target:
    """Return the loopback address and port of an `http://` URL.

    Raises:
        NotLoopbackError: it names another host, another scheme or no port.

    """
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname or not parts.port:
        raise NotLoopbackError(f"{url!r}: a load run needs http://<loopback address>:<port>")
    return Target(loopback_address(parts.hostname), parts.port)


def loopback_address(host: str) -> str:
    """Return the address of a host that is this machine's loopback.

    Raises:
        NotLoopbackError: it is not, or one of its addresses is not.

    """
    try:
        addresses = {str(host)} if _is_address(host) else _resolve(host)
    except OSError as error:
        raise NotLoopbackError(f"{host!r} has no address: {error}") from error
    for address in addresses:
        if not ipaddress.ip_address(address).is_loopback:
            raise NotLoopbackError(f"{host!r} is {address}: load runs go to the loopback only")
    return sorted(addresses)[0]


def check_database(dsn: str) -> str:
    """Return the DSN when its server is on a unix socket or a loopback address.

    Raises:
        NotLoopbackError: it is anywhere else.

    """
    parts = urlsplit(dsn)
    hosts = parse_qs(parts.query).get("host", []) + ([parts.hostname] if parts.hostname else [])
    for host in ",".join(hosts).split(","):
        if host and not host.startswith("/") and not host.startswith("%2F"):
            loopback_address(host)
    return dsn


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _resolve(host: str) -> set[str]:
    if host != "localhost":
        raise NotLoopbackError(f"{host!r} is not a loopback address; names other than localhost are not looked up")
    return {str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
