"""A Postgres URL that may name several servers, as libpq's does. Owns how it is taken apart; never connects.

`postgresql://user@h1:5432,h2:5433/shop` and `postgresql://user@/shop?host=/run/a,/run/b&port=5432,5433` name two each.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

SERVERS_MAX = 16
_PRIMARY = frozenset({"any", "primary", "read-write"})
"""What `target_session_attrs` may say: which of the servers is written to is found out all the same."""
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]|[^\s:,\[\]]+)(?::(?P<port>\d{1,5}))?")
_PORTS = range(1, 65_536)


class ServerUrl(NamedTuple):
    """One server of the list: a URL that names it alone, and its name for people."""

    url: str
    name: str


def split_servers(url: str) -> list[ServerUrl]:
    """Return the servers that a URL names, in its order; one that names none leads where the driver looks by itself.

    Raises:
        ValueError: it cannot be one; the text says why, without the URL.
    """
    parts = urlsplit(url)
    asked = parse_qsl(parts.query, keep_blank_values=True)
    said = dict(asked)
    if said.get("target_session_attrs", "any") not in _PRIMARY:
        raise ValueError("target_session_attrs must be any, primary or read-write: orders are written")
    auth, at, hosts = parts.netloc.rpartition("@")
    own = {"target_session_attrs"} | ({"host", "port"} if hosts or said.get("host") else set())
    rest = [(name, value) for name, value in asked if name not in own]
    if hosts:
        named = [(_checked(host), f"{auth}{at}{host}", rest) for host in hosts.split(",")]
    elif said.get("host"):
        pairs = _with_ports(said["host"].split(","), said.get("port", ""))
        named = [
            (_named(host, port), f"{auth}{at}", [("host", host), *([("port", port)] if port else []), *rest])
            for host, port in pairs
        ]
    else:
        named = [("the default server", parts.netloc, rest)]
    if len(named) > SERVERS_MAX:
        raise ValueError(f"must name at most {SERVERS_MAX} servers")
    if len(named) == 1 and "target_session_attrs" not in said:
        return [ServerUrl(url, named[0][0])]  # as it was written
    return [ServerUrl(_written(parts.scheme, netloc, parts.path, query), name) for name, netloc, query in named]


def _checked(host: str) -> str:
    text = unquote(host)
    if text.startswith("/"):  # a socket's folder, with its slashes escaped
        return text
    found = _HOST.fullmatch(text)
    if found is None or int(found["port"] or 1) not in _PORTS:
        raise ValueError("must name its servers as host:port, by comma")
    return text if found["port"] else f"{text}:5432"


def _with_ports(hosts: list[str], ports: str) -> list[tuple[str, str]]:
    """Return each host with its port, empty where none is named; one port is that of all."""
    listed = ports.split(",") if ports else [""]
    if len(listed) == 1:
        listed *= len(hosts)
    if len(listed) != len(hosts):
        raise ValueError(f"must name one port, or as many as servers: {len(listed)} ports, {len(hosts)} servers")
    for port in filter(None, listed):
        if not (port.isascii() and port.isdecimal() and int(port) in _PORTS):
            raise ValueError("must name ports from 1 to 65535")
    return list(zip(hosts, listed, strict=True))


def _named(host: str, port: str) -> str:
    if not host.startswith("/") and _HOST.fullmatch(host) is None:
        raise ValueError("must name its servers as host=a,b")
    return host if host.startswith("/") and not port else f"{host}:{port or 5432}"


def _written(scheme: str, netloc: str, path: str, query: list[tuple[str, str]]) -> str:
    text = urlencode(query, quote_via=quote, safe="/")
    if netloc:
        return urlunsplit((scheme, netloc, path, text, ""))
    return f"{scheme}://{path}{'?' if text else ''}{text}"
