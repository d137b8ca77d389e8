"""The two outboxes as a relay reads them: order events and catalogue changes. Owns no statement; the database has them.

One object each, so that the targets of an outbox share its source.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import TYPE_CHECKING

from db.products import catalogue_changes
from db.work import outbox
from workers.publish.relay import OutboxBatch, OutboxSource

if TYPE_CHECKING:
    from db.connections.pool import Connection
    from db.products.catalogue_changes import Change
    from db.work.outbox import OutboxEvent, OutboxPlace

KEEP_S = 3_600.0
"""How long catalogue changes are kept at least: processes that start look back to them."""
FORGET_MAX = 10_000
"""Changes deleted at a time: an import brings millions."""


class _OrderEvents:
    """The events of orders, which are kept for ever: they are the orders' history."""

    async def read(
        self, connection: Connection, after: OutboxPlace, *, limit: int, age_s: float
    ) -> OutboxBatch[OutboxEvent] | None:
        """Return the events behind `after`, whatever their age; shadows' too, which leave no trace in a kept cursor."""
        assert age_s == 0.0, "events are told at once"
        events = await outbox.unpublished(connection, after, limit=limit)
        if not events:
            return None
        kept = next((event.place for event in reversed(events) if not event.is_shadow), None)
        return OutboxBatch(events, events[-1].place, kept)

    async def any_behind(self, connection: Connection, cursor: str, *, age_s: float) -> bool:  # noqa: ARG002 - as above
        """Say whether there are events behind a cursor."""
        return await outbox.any_unpublished(connection, cursor)

    async def forget(self, connection: Connection, cursors: Sequence[str]) -> None:
        """Forget nothing."""


class _CatalogueChanges:
    """The changes of products, as triggers write them."""

    async def read(
        self, connection: Connection, after: OutboxPlace, *, limit: int, age_s: float
    ) -> OutboxBatch[Change] | None:
        """Return the changes behind `after` that are old enough, with the log's position behind them."""
        found = await catalogue_changes.unrelayed(connection, after, limit=limit)
        found = list(takewhile(lambda one: one.age_s >= age_s, found))
        if not found:
            return None
        # Read after the changes: everything they show lies before this position.
        position = await catalogue_changes.log_position(connection)
        end = found[-1].place
        return OutboxBatch([one.change for one in found], end, end, position)

    async def any_behind(self, connection: Connection, cursor: str, *, age_s: float) -> bool:
        """Say whether there is a change of this age behind a cursor."""
        return await catalogue_changes.any_unrelayed(connection, cursor, age_s=age_s)

    async def forget(self, connection: Connection, cursors: Sequence[str]) -> None:
        """Delete old changes that all of these cursors have passed."""
        await catalogue_changes.forget(connection, cursors, older_than_s=KEEP_S, limit=FORGET_MAX)


ORDER_EVENTS: OutboxSource[OutboxEvent] = _OrderEvents()
CATALOGUE_CHANGES: OutboxSource[Change] = _CatalogueChanges()
