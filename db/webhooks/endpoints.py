"""Endpoints of webhooks: their rows, secrets and states. Owns them; never sends anything.

Secrets are kept as they are, for they must sign. They leave this module to sign alone: no view and no log has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import msgspec

from db.query_files import load
from doorbuster.errors import ConflictError

if TYPE_CHECKING:
    from db.connections.pool import Connection

_SQL = load("webhooks")

State = Literal["active", "paused", "disabled"]
ENDPOINTS_MAX = 200
ORDERS, WORLD = "webhooks-orders", "webhooks-world"
CURSORS = (ORDERS, WORLD)
"""Of the relay that hands events on to endpoints."""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint as ops see it."""

    webhook_id: int
    url: str
    events: list[str] | None
    description: str
    state: State
    state_reason: str | None
    failures: int
    retry_at: datetime | None
    former_until: datetime | None
    created_at: datetime


class Receiver(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint as deliveries need it."""

    webhook_id: int
    url: str
    secret: str
    former_secret: str | None
    """Signs too, while it is there."""
    ready: bool
    """Whether more than tests may be sent now."""
    failures: int

    def __repr__(self) -> str:
        """Return it without the secrets, which no log may have."""
        return f"Receiver({self.webhook_id}, {self.url!r})"


class Attempts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an endpoint after some attempts."""

    failures: int
    again_s: float | None
    """Nothing is sent before so many seconds; None: at once."""
    state: State = "active"
    reason: str | None = None


def _endpoint(row: object) -> Endpoint:
    values = dict(row)  # type: ignore[call-overload]
    return Endpoint(**{name: values[name] for name in Endpoint.__struct_fields__})


async def create(
    connection: Connection, url: str, secret: str, *, events: Sequence[str] | None, description: str
) -> Endpoint:
    """Make an endpoint, in the caller's transaction; it is told what happens from now on.

    Raises:
        ConflictError: there are too many.
    """
    await connection.execute(_SQL["lock_endpoints"])
    await connection.execute(_SQL["begin_cursors"], list(CURSORS))
    named = None if events is None else list(dict.fromkeys(events))
    row = await connection.fetchrow(_SQL["create"], url, named, description, secret, ENDPOINTS_MAX)
    if row is None:
        raise ConflictError(f"there are {ENDPOINTS_MAX} webhooks already")
    return _endpoint(row)


async def list_endpoints(connection: Connection, *, before: int | None = None, limit: int = 50) -> list[Endpoint]:
    """Return endpoints, newest first."""
    return [_endpoint(row) for row in await connection.fetch(_SQL["list"], before, limit)]


async def read(connection: Connection, webhook_id: int) -> Endpoint | None:
    """Return the endpoint of this id."""
    row = await connection.fetchrow(_SQL["read"], webhook_id)
    return None if row is None else _endpoint(row)


async def hold(connection: Connection, webhook_id: int) -> Endpoint | None:
    """Return the endpoint, and let nobody else change it until the transaction ends."""
    await connection.execute(_SQL["hold_webhook"], webhook_id)
    return await read(connection, webhook_id)


async def delete(connection: Connection, webhook_id: int) -> bool:
    """Delete an endpoint with what waits for it; say whether there was one."""
    return await connection.fetchval(_SQL["delete"], webhook_id) is not None


async def rotate(connection: Connection, webhook_id: int, secret: str, *, both_s: float) -> datetime:
    """Let a new secret sign, and the one before beside it for a while; return until when."""
    until: datetime = await connection.fetchval(_SQL["rotate"], webhook_id, secret, both_s)
    return until


async def resume(connection: Connection, webhook_id: int) -> Endpoint:
    """Let an endpoint be sent to again, in the caller's transaction that holds it."""
    await connection.execute(_SQL["lock_endpoints"])
    await connection.execute(_SQL["begin_cursors"], list(CURSORS))
    return _endpoint(await connection.fetchrow(_SQL["resume"], webhook_id))


async def receivers(connection: Connection) -> list[Receiver]:
    """Return every endpoint that something may be sent to."""
    return [Receiver(**row) for row in await connection.fetch(_SQL["sending"])]


async def any_told(connection: Connection) -> bool:
    """Say whether any endpoint is told what happens: without one nothing is to be done at all."""
    return bool(await connection.fetchval(_SQL["any_told"]))


async def note_attempts(connection: Connection, webhook_id: int, seen: Attempts) -> None:
    """Write down what was seen of an endpoint."""
    await connection.execute(
        _SQL["note_attempts"], webhook_id, seen.failures, seen.again_s, seen.state, seen.reason
    )  # fmt: skip


async def deleted(connection: Connection) -> list[int]:
    """Return the endpoints that were deleted and have not wholly gone."""
    return [row["webhook_id"] for row in await connection.fetch(_SQL["deleted"])]


async def forget(connection: Connection, webhook_id: int) -> None:
    """Let the row of a deleted endpoint go, once none of its deliveries is left."""
    await connection.execute(_SQL["forget_endpoint"], webhook_id)


async def any_wants(connection: Connection, event_type: str) -> bool:
    """Say whether any endpoint is told of events of a type."""
    return bool(await connection.fetchval(_SQL["any_wants"], event_type))
