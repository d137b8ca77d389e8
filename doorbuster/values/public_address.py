"""Which addresses are the open internet's. Pure: looks nothing up; who connects asks for the address it connects to.

`ipaddress` alone is not enough: its `is_global` passes multicast and the ranges by which IPv6 reaches IPv4, behind
which any private address may stand.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_UNICAST = ip_network("2000::/3")
"""All of IPv6 that is given out. NAT64 (`64:ff9b::`), IPv4 inside of IPv6 and site-local addresses lie outside."""
_NOT_GLOBAL = tuple(
    ip_network(network)
    for network in (
        "2001::/23",  # protocols, Teredo among them
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
        "192.0.0.0/24",  # protocols, also those that is_global excepts
        "192.88.99.0/24",  # relays of 6to4
    )
)


def is_public(address: str) -> bool:
    """Say whether an address as a socket has it is one of the open internet; what cannot be read is not."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    inner = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return _is_public(found if inner is None else inner)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if address.is_multicast or not address.is_global or (address.version == 6 and address not in _UNICAST):
        return False
    return not any(address in network for network in _NOT_GLOBAL if network.version == address.version)


def literal_of(host: str) -> str | None:
    """Return the address that a URL's host is without being looked up, None if it is a name.

    Also one in a form that only old resolvers read: `2130706433` and `0x7f.1` are 127.0.0.1.
    """
    bare = host.strip("[]")
    try:
        return str(ip_address(bare.partition("%")[0]))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(bare))
    except (OSError, UnicodeError):
        return None
