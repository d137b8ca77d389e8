"""The outboxes as a relay reads them: order events, shadows' apart, and catalogue changes. Owns no statement.

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


RECENTLY_S = 5.0
"""An event of a shadow that is older waits for nobody."""


class KeptCursors:
    """An outbox whose targets' cursors are kept."""

    keeps_cursors = True

    async def start(self, connection: Connection, cursor: str) -> OutboxPlace:
        """Return behind what the target goes on."""
        return await outbox.read_cursor(connection, cursor)


class _OrderEvents(KeptCursors):
    """The events of orders, which are kept for ever: they are the orders' history. Nothing of shadows."""

    async def read(
        self, connection: Connection, after: OutboxPlace, *, limit: int, age_s: float
    ) -> OutboxBatch[OutboxEvent] | None:
        """Return the events behind `after`, whatever their age."""
        assert age_s == 0.0, "events are told at once"
        events = await outbox.unpublished(connection, after, limit=limit)
        return OutboxBatch(events, events[-1].place) if events else None

    async def any_behind(self, connection: Connection, cursor: str, *, age_s: float) -> bool:  # noqa: ARG002 - as above
        """Say whether there are events behind a cursor."""
        return await outbox.any_unpublished(connection, cursor)

    async def forget(self, connection: Connection, cursors: Sequence[str]) -> None:
        """Forget nothing."""


class _ShadowEvents:
    """The events of rehearsals' shadows, told from when a relay looks: no cursor is kept, for that were a trace."""

    keeps_cursors = False

    async def start(self, connection: Connection, cursor: str) -> OutboxPlace:  # noqa: ARG002 - none is kept
        """Return where the last one stands."""
        newest = await outbox.newest_of_shadows(connection)
        return outbox.START if newest is None else newest[0]

    async def read(
        self, connection: Connection, after: OutboxPlace, *, limit: int, age_s: float
    ) -> OutboxBatch[OutboxEvent] | None:
        """Return the events behind `after`, whatever their age."""
        assert age_s == 0.0, "events are told at once"
        events = await outbox.unpublished_of_shadows(connection, after, limit=limit)
        return OutboxBatch(events, events[-1].place) if events else None

    async def any_behind(self, connection: Connection, cursor: str, *, age_s: float) -> bool:  # noqa: ARG002 - as above
        """Say whether a rehearsal writes events now."""
        newest = await outbox.newest_of_shadows(connection)
        return newest is not None and newest[1] < RECENTLY_S

    async def forget(self, connection: Connection, cursors: Sequence[str]) -> None:
        """Forget nothing: they go with their shadow."""


class _CatalogueChanges(KeptCursors):
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
        return OutboxBatch([one.change for one in found], found[-1].place, position)

    async def any_behind(self, connection: Connection, cursor: str, *, age_s: float) -> bool:
        """Say whether there is a change of this age behind a cursor."""
        return await catalogue_changes.any_unrelayed(connection, cursor, age_s=age_s)

    async def forget(self, connection: Connection, cursors: Sequence[str]) -> None:
        """Delete old changes that all of these cursors have passed."""
        await catalogue_changes.forget(connection, cursors, older_than_s=KEEP_S, limit=FORGET_MAX)


ORDER_EVENTS: OutboxSource[OutboxEvent] = _OrderEvents()
SHADOW_EVENTS: OutboxSource[OutboxEvent] = _ShadowEvents()
CATALOGUE_CHANGES: OutboxSource[Change] = _CatalogueChanges()
