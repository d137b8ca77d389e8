"""Deliveries of webhooks: the queue, what came of attempts, the log. Owns their rows; decides by no answer itself.

One event and endpoint make one row. Only who holds the delivery shift's lease writes what came of attempts, parks what
is blocked and lets the next go; so no two of them can miss each other.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Literal, NamedTuple
from uuid import UUID

import msgspec

from db.query_files import load

if TYPE_CHECKING:
    from db.connections.pool import Connection

_SQL = load("webhook_deliveries")

State = Literal["due", "waiting", "delivered", "dead", "discarded"]
STATES: tuple[State, ...] = ("due", "waiting", "delivered", "dead", "discarded")


class Event(NamedTuple):
    """An event as endpoints are to be told of it."""

    event_id: str
    type: str
    subject: str
    """Whose events keep their order, by position."""
    position: int
    order_id: UUID | None
    at: datetime


class Due(msgspec.Struct, kw_only=True):
    """A delivery that is to be tried."""

    delivery_id: int
    webhook_id: int
    event_id: str
    type: str
    subject: str
    position: int
    order_id: UUID | None
    at: datetime
    attempts: int
    body: str | None
    """As it was sent before; None: not yet."""
    tried_for_s: float
    """How long ago it was tried first."""
    blocked: bool
    """Whether an earlier one of its subject is open."""


class LaneRoom(NamedTuple):
    """How many deliveries of an endpoint are wanted."""

    webhook_id: int
    most: int
    tests_alone: bool


class Result(NamedTuple):
    """What came of an attempt."""

    delivery_id: int
    state: Literal["due", "delivered", "dead", "discarded"]
    status_code: int | None
    error: str | None
    again_s: float | None
    """When due: after how many seconds."""
    body: str | None
    """As it was sent, when it is to be sent again."""


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery as the log shows it."""

    delivery_id: int
    webhook_id: int
    event_id: str
    type: str
    at: datetime
    state: State
    attempts: int
    status_code: int | None
    error: str | None
    tried_at: datetime | None
    finished_at: datetime | None
    next_try_at: datetime | None


async def fan_out(connection: Connection, events: Sequence[Event]) -> None:
    """Give events to every endpoint that wants them; twice does nothing."""
    await connection.execute(_SQL["fan_out"], *_columns(events))


async def fan_out_again(connection: Connection, events: Sequence[Event], webhook_id: int) -> None:
    """Give events to one endpoint once more."""
    await connection.execute(_SQL["fan_out_again"], *_columns(events), webhook_id)


def _columns(events: Sequence[Event]) -> list[list[object]]:
    return [list(column) for column in zip(*events, strict=True)] or [[] for _ in Event._fields]


async def any_due(connection: Connection) -> bool:
    """Say whether anything can be sent now."""
    return bool(await connection.fetchval(_SQL["any_due"]))


async def due(connection: Connection, rooms: Sequence[LaneRoom]) -> list[Due]:
    """Return what can be sent now, of each endpoint the longest due."""
    rows = await connection.fetch(_SQL["due"], *map(list, zip(*rooms, strict=True)))
    return [Due(**row) for row in rows]


async def park(connection: Connection, delivery_ids: Collection[int]) -> None:
    """Let blocked ones wait for those before them."""
    await connection.execute(_SQL["park"], list(delivery_ids))


async def finish(connection: Connection, results: Sequence[Result]) -> None:
    """Write down what came of attempts."""
    await connection.execute(_SQL["finish"], *map(list, zip(*results, strict=True)))


async def let_next_go(connection: Connection, ended: Sequence[tuple[int, str]]) -> None:
    """Let the next go of each (endpoint, subject) of which one has ended."""
    if ended:
        await connection.execute(_SQL["let_next_go"], *map(list, zip(*ended, strict=True)))


async def send_at_once(connection: Connection, webhook_id: int) -> None:
    """Let nothing of an endpoint wait for its next attempt any longer."""
    await connection.execute(_SQL["send_at_once"], webhook_id)


async def add_test(connection: Connection, webhook_id: int, event_id: str) -> int:
    """Put a test before all else that an endpoint is to get; return its number."""
    number: int = await connection.fetchval(_SQL["add_test"], webhook_id, event_id)
    return number


async def list_log(
    connection: Connection, webhook_id: int, *, before: int | None = None, state: State | None = None, limit: int = 50
) -> list[LogLine]:
    """Return an endpoint's deliveries, newest first."""
    rows = await connection.fetch(_SQL["list_log"], webhook_id, before, state, limit)
    return [LogLine(**row) for row in rows]


async def forget(connection: Connection, *, older_than_s: float, limit: int) -> None:
    """Delete what ended long ago, so many at most; dead letters that nobody has dealt with stay."""
    await connection.execute(_SQL["forget_log"], older_than_s, limit)


async def forget_of(connection: Connection, webhook_id: int, *, limit: int) -> None:
    """Delete deliveries of an endpoint that was deleted, so many at most."""
    await connection.execute(_SQL["forget_deliveries_of"], webhook_id, limit)


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint, and what waits for it."""

    webhook_id: int
    state: Literal["active", "paused", "disabled"]
    age_s: float | None
    """How old the event is that comes next; None: there is none."""
    dead: int
    """Deliveries that were given up, counted up to a thousand."""


async def oldest_due(connection: Connection) -> list[Waiting]:
    """Return of each endpoint what waits for it."""
    return [Waiting(**row) for row in await connection.fetch(_SQL["oldest_due"])]
