"""The whole audit but for the payment provider's list: every figure, in the order of the promises. Changes nothing.

The order store is held against the primary, since a replica's cursor may point at what was drained and trimmed since.
The questions to all of Postgres may go to a replica: what it does not show yet is left out on both sides of each.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from db.audit import questions
from db.audit.admissions import admission_figures
from db.audit.streams import event_figure, stream_figures
from doorbuster.contract.night.promises import PromiseFigure, PromisesView

if TYPE_CHECKING:
    from collections.abc import Iterable

    from redis.asyncio import Redis

    from db.audit.questions import Figure
    from db.connections.pool import Connection


async def look(
    connection: Connection, orders: Redis, *, whole: Connection | None = None, more: Iterable[Figure] = ()
) -> PromisesView:
    """Hold the stores against the promises; `whole` is asked what concerns all of Postgres, a replica's perhaps.

    `more` are figures that somebody else has.
    """
    at, began = datetime.now(UTC), time.monotonic()
    streams = await stream_figures(connection, orders)
    findings = await questions.audit(whole or connection)
    admitted = await admission_figures(connection, orders)
    told = await event_figure(orders, findings.published)
    figures = sorted([*streams, *findings.figures, told, *admitted, *more], key=_number)
    return PromisesView(
        at=at,
        took_ms=round((time.monotonic() - began) * 1000),
        breaches=sum(figure.breaches for figure in figures),
        figures=[_view(figure) for figure in figures],
        states=findings.states,
    )


def _number(figure: Figure) -> int:
    return int(figure.promise.removeprefix("P"))


def _view(figure: Figure) -> PromiseFigure:
    return PromiseFigure(
        promise=figure.promise,
        what=figure.what,
        value=figure.value,
        breaches=figure.breaches,
        acknowledged=figure.acknowledged,
        verdict="broken" if figure.breaches else "holds",
    )


async def take_turn(connection: Connection) -> bool:
    """Say whether no other audit of the ops API is under way; this one is then, until the transaction ends."""
    row = await connection.fetchrow(questions.TAKE_TURN)
    assert row is not None
    return bool(row["taken"])
