"""Why something does not answer: asks the intake's readiness, or the stores themselves. Owns time-outs of seconds.

Used by commands that wait in vain; never decides what a command does.
"""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

import httpx

from db import status
from db.connections import pool
from db.connections.fence import NoPrimaryError
from doorbuster.embedded.data.instance import URLS, Instance
from doorbuster.errors import InvalidError, StoreUnavailableError
from doorbuster.failures import STORE_FAILED
from doorbuster.log import redact
from doorbuster.redis_clients import plain_client
from doorbuster.redis_roles.age import age_s

READY_S = 3.5
"""The intake gives its stores three seconds."""
LOOK_S = 3.0
NOT_WRITTEN = "cannot be written to"
NAMES = {
    "database": "Postgres",
    "orders_redis": "the order store",
    "room_redis": "the room's store",
    "jobs_redis": "the jobs store",
    "cache_redis": "the cache",
}


class Readiness(NamedTuple):
    """Whether the intake is ready, why not, and its checks."""

    ready: bool
    reason: str
    checks: dict[str, Any]


def readiness(base: str) -> Readiness:
    """Ask the intake whether it is ready; one that does not answer is not."""
    try:
        answer = httpx.get(f"{base.rstrip('/')}/readyz", timeout=READY_S, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Readiness(False, f"the intake at {base} does not answer: {str(error) or type(error).__name__}", {})
    try:
        checks: dict[str, Any] = answer.json()["checks"]
        failing = [str(check.get("reason", name)) for name, check in checks.items() if not check["ok"]]
    except (ValueError, KeyError, TypeError, AttributeError):
        return Readiness(answer.is_success, f"{base}/readyz does not answer as Doorbuster does", {})
    return Readiness(answer.is_success, "; ".join(failing) or "the intake is not ready", checks)


def require_stores(instance: Instance, *stores: str) -> None:
    """Check that stores answer, all at once and within seconds, before a command begins.

    Raises:
        StoreUnavailableError: naming the first that does not.
        InvalidError: its URL cannot be one.
    """
    urls = {store: instance.url(store) for store in stores}
    found = asyncio.run(look_at(urls))
    for store, said in found.items():
        if isinstance(said, str):
            words = said if said.startswith(NOT_WRITTEN) else f"does not answer: {said}"
            raise StoreUnavailableError(f"{NAMES[store]} ({redact(urls[store])}) {words}")


async def look_at(urls: dict[str, str], *, within_s: float = LOOK_S) -> dict[str, float | str]:
    """Return for each store how long it has been up in seconds, or why it does not answer.

    Raises:
        InvalidError: a URL cannot be one.
    """
    found = await asyncio.gather(*(_look(store, url, within_s) for store, url in urls.items()))
    return dict(zip(urls, found, strict=True))


async def _look(store: str, url: str, within_s: float) -> float | str:
    try:
        async with asyncio.timeout(within_s):
            return await (_postgres_age_s(url) if store == "database" else _redis_age_s(url))
    except TimeoutError:
        return f"no answer within {within_s:g} s"
    except NoPrimaryError as error:
        return f"{NOT_WRITTEN}: {error}"
    except STORE_FAILED as error:
        return str(error) or type(error).__name__
    except ValueError as error:
        raise InvalidError(f"{URLS[store]}: is no URL of a store: {error}") from error


async def _postgres_age_s(url: str) -> float:
    connection = await pool.connect(url, command_timeout_s=LOOK_S, application="doorbuster-cli")
    try:
        return await status.server_age_s(connection)
    finally:
        connection.terminate()


async def _redis_age_s(url: str) -> float:
    async with plain_client(url, timeout_s=LOOK_S) as client:
        return await age_s(client)
