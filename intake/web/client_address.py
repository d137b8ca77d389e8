"""Whose address a request comes from. Owns that; believes nobody's header but a trusted proxy's."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, NamedTuple

from doorbuster.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from falcon.asgi import Request

    Network = ipaddress.IPv4Network | ipaddress.IPv6Network
    Address = ipaddress.IPv4Address | ipaddress.IPv6Address

HOPS_MAX = 20
HOP_CHARACTERS_MAX = 64
"""Longer than any address with brackets, zone and port."""
IPV6_HOME = 64
"""Prefix that one home or phone has to itself: it is counted as one address."""
IPV6_WIDER = ((56, 2), (48, 8))
"""Wider prefixes that one customer of a provider may have whole, and as how many homes each is counted as well."""
_WITH_PORT = re.compile(r"\[([^\[\]]+)\](?::\d{1,5})?|([\d.]+):\d{1,5}")
"""`[2001:db8::1]`, `[2001:db8::1]:443` and `203.0.113.7:443`, as some proxies write them."""


class Counted(NamedTuple):
    """A name to count under, and how many homes share it."""

    name: str
    homes: int


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
        return self._seen(req.scope.get("client"), req.get_header("X-Forwarded-For") or "")

    def seen(self, client: tuple[str, int] | None, forwarded: bytes) -> str:
        """Return the same for who is connected, and what its one header says it forwards for."""
        return self._seen(client, forwarded.decode("latin-1"))

    def of_scope(self, scope: Mapping[str, Any]) -> str:
        """Return the same for a request that no application has seen yet."""
        lines = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
        return self._seen(scope.get("client"), ",".join(lines))

    def _seen(self, client: tuple[str, int] | None, forwarded: str) -> str:
        hops = [part.strip() for part in forwarded.rsplit(",", HOPS_MAX)[-HOPS_MAX:]] if forwarded else []
        seen = _address(client[0]) if client else None
        while seen is not None and self._is_trusted(seen) and hops:
            seen = _address(hops.pop())
        if seen is None or seen.is_loopback or self._is_trusted(seen):
            return ""
        return str(seen) if seen.version == 4 else _prefix(seen, IPV6_HOME)

    def _is_trusted(self, address: Address) -> bool:
        return any(address.version == network.version and address in network for network in self._trusted)


def counted(address: str) -> list[Counted]:
    """Return under which names an address is counted: itself, and for IPv6 the wider prefixes it lies in."""
    if ":" not in address:
        return [Counted(address, 1)]
    home = ipaddress.IPv6Network(address, strict=False).network_address
    return [Counted(address, 1), *(Counted(_prefix(home, bits), homes) for bits, homes in IPV6_WIDER)]


def _prefix(address: Address, bits: int) -> str:
    return str(ipaddress.ip_network((int(address), bits), strict=False))


def _address(text: str) -> Address | None:
    if len(text) > HOP_CHARACTERS_MAX:
        return None
    match = _WITH_PORT.fullmatch(text)
    bare = (match[1] or match[2]) if match else text
    try:
        # A zone is the sender's own name for an interface: any number of them would be any number of addresses.
        read = ipaddress.ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    mapped = read.ipv4_mapped if read.version == 6 else None
    return mapped or read
