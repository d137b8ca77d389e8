"""The guard of every load run: this machine is the target, or one that its owner has proven to own (`ownership`).

Names other than localhost are not looked up, and no other host is talked to, before that is proven.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from loadtests.scene.ownership import VARIABLE, NotOwnedError, require_proof


class NotLoopbackError(ValueError):
    """The target is not this machine: a load run refuses it."""


class Target(NamedTuple):
    """Where a run sends its requests."""

    host: str
    """A loopback address, or the name of a host that was proven to be one's own."""
    port: int
    tls: bool = False

    @property
    def authority(self) -> str:
        """What requests name as their host."""
        return f"{self.host}:{self.port}"


def target_of(url: str) -> Target:
    """Return where a URL of this machine leads, or of a host that is proven to be one's own.

    Raises:
        NotLoopbackError: it names another host, another scheme or no port.
    """
    parts = urlsplit(url)
    if os.environ.get(VARIABLE) and parts.hostname and not _is_here(parts.hostname):
        return _proven_target(url)
    if parts.scheme != "http" or not parts.hostname or not parts.port:
        raise NotLoopbackError(f"{url!r}: a load run needs http://<loopback address>:<port>")
    return Target(loopback_address(parts.hostname), parts.port)


def _is_here(host: str) -> bool:
    try:
        loopback_address(host)
    except NotLoopbackError:
        return False
    return True


def _proven_target(url: str) -> Target:
    parts = urlsplit(url)
    tls = parts.scheme == "https"
    port = parts.port or (443 if tls else None)
    if parts.scheme not in ("http", "https") or not parts.hostname or not port:
        raise NotLoopbackError(f"{url!r}: a load run needs https://<host>, or http://<host>:<port>")
    try:
        require_proof(f"{parts.scheme}://{parts.netloc}")
    except NotOwnedError as error:
        raise NotLoopbackError(str(error)) from error
    return Target(parts.hostname, port, tls)


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
