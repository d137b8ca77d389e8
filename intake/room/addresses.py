"""Whose address a request comes from. Owns that; believes nobody's header but a trusted proxy's."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from doorbuster.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from falcon.asgi import Request

    Network = ipaddress.IPv4Network | ipaddress.IPv6Network
    Address = ipaddress.IPv4Address | ipaddress.IPv6Address

HOPS_MAX = 20
IPV6_HOME = 64
"""Prefix that one home or phone has to itself: it is counted as one address."""


class Addresses:
    """Reads addresses of requests."""

    def __init__(self, trusted_proxies: Iterable[str]) -> None:
        """Take networks.

        Raises:
            SettingsError: one is none.
        """
        try:
            self._trusted: list[Network] = [ipaddress.ip_network(text, strict=False) for text in trusted_proxies]
        except ValueError as error:
            raise SettingsError(f"TRUSTED_PROXIES: {error}") from error

    def of(self, req: Request) -> str:
        """Return the visitor's address; empty when it stands for many: this machine, or a proxy that names none."""
        client = req.scope.get("client")
        hops = [part.strip() for part in (req.get_header("X-Forwarded-For") or "").split(",")][-HOPS_MAX:]
        seen = _address(client[0]) if client else None
        while seen is not None and self._is_trusted(seen) and hops:
            seen = _address(hops.pop())
        if seen is None or seen.is_loopback or self._is_trusted(seen):
            return ""
        if seen.version == 6:
            return str(ipaddress.ip_network((int(seen), IPV6_HOME), strict=False))
        return str(seen)

    def _is_trusted(self, address: Address) -> bool:
        return any(address.version == network.version and address in network for network in self._trusted)


def _address(text: str) -> Address | None:
    try:
        found = ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None
    mapped = found.ipv4_mapped if found.version == 6 else None
    return mapped or found
