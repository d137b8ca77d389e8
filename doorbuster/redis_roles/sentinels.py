"""The client of what sentinels watch, for who waits in a thread: RQ. Owns its making by the library; sends nothing.

Everybody else has `client.py`, which does the same for an event loop, and for a Cluster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redis.connection import parse_url
from redis.sentinel import Sentinel

from doorbuster.redis_roles.whereabouts import WITHIN_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis import Redis

    from doorbuster.redis_roles.urls import RoleUrl

_ADDRESS = ("host", "port", "connection_class")


def primary(said: RoleUrl, options: Mapping[str, Any]) -> Redis:
    """Make the client of the primary of a URL's service; sentinels are asked at each connection."""
    watched, watching = (parse_url(one) for one in (said.plain, said.sentinel))  # type: ignore[no-untyped-call]
    asked = {name: value for name, value in watching.items() if name not in _ADDRESS} | dict(options)
    asked |= {"socket_timeout": WITHIN_S, "socket_connect_timeout": WITHIN_S, "db": 0}
    told = {name: value for name, value in watched.items() if name not in _ADDRESS} | dict(options)
    if said.plain.startswith("rediss"):
        asked["ssl"] = told["ssl"] = True
    makes: Any = Sentinel  # the library has no types for it
    primary_of: Redis = makes([tuple(one) for one in said.addresses], sentinel_kwargs=asked).master_for(
        said.service, **told
    )
    return primary_of
