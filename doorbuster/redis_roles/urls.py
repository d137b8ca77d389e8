"""The URL of a Redis role: which of three kinds it is, and what it names. Owns their grammar; connects to nothing.

    redis://[user:password@]host:port/db                      one server (also rediss://, unix://)
    redis+cluster://[user:password@]host:port,host:port       a Cluster, by some of its nodes
    redis+sentinel://[user:password@]host:port,host:port/SERVICE[/db]    a service that sentinels watch

`rediss+cluster://` and `rediss+sentinel://` speak TLS. Further options stand behind `?`, as redis-py names them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit


class RoleKind(StrEnum):
    """What stands behind a URL."""

    SINGLE = "single"
    CLUSTER = "cluster"
    SENTINEL = "sentinel"


class Address(NamedTuple):
    """Where a server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return it as it stands in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


SINGLE_SCHEMES = ("redis", "rediss", "unix")
CLUSTER_SCHEMES = ("redis+cluster", "rediss+cluster")
SENTINEL_SCHEMES = ("redis+sentinel", "rediss+sentinel")
PORTS = {RoleKind.CLUSTER: 6379, RoleKind.SENTINEL: 26379}
_PLACE = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|(?P<host>[A-Za-z0-9_.-]+))(?::(?P<port>\d{1,5}))?")
_SERVICE = re.compile(r"[A-Za-z0-9._-]{1,200}")
_SENTINEL_USER, _SENTINEL_PASSWORD = "sentinel_username", "sentinel_password"


@dataclass(frozen=True, slots=True)
class RoleUrl:
    """What a URL says."""

    kind: RoleKind
    plain: str = field(repr=False)
    """URL of one server with the same credentials and options; of a Cluster's or Sentinel's its address is replaced."""
    addresses: tuple[Address, ...] = ()
    """Of the Cluster's nodes or of the sentinels; none of a single server."""
    service: str = ""
    sentinel: str = field(default="", repr=False)
    """URL of one sentinel, whose address is replaced, too: sentinels have credentials of their own."""


def read(url: str) -> RoleUrl:
    """Read a URL.

    Raises:
        ValueError: it is none, said without its password.
    """
    parts = urlsplit(url)
    if parts.scheme in CLUSTER_SCHEMES:
        return _cluster(parts)
    if parts.scheme in SENTINEL_SCHEMES:
        return _sentinel(parts)
    if parts.scheme not in SINGLE_SCHEMES:
        schemes = (*SINGLE_SCHEMES, *CLUSTER_SCHEMES, *SENTINEL_SCHEMES)
        raise ValueError(f"must be a URL beginning with {' or '.join(f'{one}://' for one in schemes)}")
    if "," in parts.netloc.rpartition("@")[2]:
        raise ValueError(f"{parts.scheme}:// names one server; several are redis+cluster:// or redis+sentinel://")
    return RoleUrl(RoleKind.SINGLE, url)


def _cluster(parts: SplitResult) -> RoleUrl:
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if parts.path.strip("/") or "db" in options:
        raise ValueError("must name no database: a Cluster has number 0 alone")
    addresses = _addresses(parts, RoleKind.CLUSTER)
    return RoleUrl(RoleKind.CLUSTER, _plain(parts, addresses[0], 0, options), addresses)


def _sentinel(parts: SplitResult) -> RoleUrl:
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    username, password = options.pop(_SENTINEL_USER, None), options.pop(_SENTINEL_PASSWORD, None)
    service, _, database = parts.path.strip("/").partition("/")
    if not _SERVICE.fullmatch(unquote(service)):
        raise ValueError("must name the service that the sentinels watch, as in redis+sentinel://host:26379/SERVICE")
    if database and not database.isdecimal():
        raise ValueError("must have a number of a database, or nothing, behind the service")
    addresses = _addresses(parts, RoleKind.SENTINEL)
    plain = _plain(parts, addresses[0], int(database or 0), options)
    own = f"{quote(username or '', safe='')}:{quote(password or '', safe='')}@" if username or password else ""
    sentinel = _plain(parts._replace(netloc=own + str(addresses[0])), addresses[0], 0, options)
    return RoleUrl(RoleKind.SENTINEL, plain, addresses, unquote(service), sentinel)


def _addresses(parts: SplitResult, kind: RoleKind) -> tuple[Address, ...]:
    found = [_PLACE.fullmatch(one.strip()) for one in parts.netloc.rpartition("@")[2].split(",")]
    addresses = [
        Address(one["six"] or one["host"], int(one["port"] or PORTS[kind])) for one in found if one is not None
    ]
    if len(addresses) < len(found) or not all(0 < one.port < 65_536 for one in addresses):
        whose = "its nodes" if kind is RoleKind.CLUSTER else "its sentinels"
        raise ValueError(f"must name {whose} as host:port,host:port")
    return tuple(dict.fromkeys(addresses))


def _plain(parts: SplitResult, address: Address, database: int, options: dict[str, str]) -> str:
    credentials, at, _ = parts.netloc.rpartition("@")
    query = f"?{urlencode(options)}" if options else ""
    return f"{parts.scheme.partition('+')[0]}://{credentials}{at}{address}/{database}{query}"
