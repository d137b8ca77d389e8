"""What happened by the minute, and the sale in a few figures. Owns their reading; changes nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol

from db import sale_minutes
from db.query_files import load
from doorbuster.contract.night.report import MinuteRow, Totals

if TYPE_CHECKING:
    from db.connections.pool import Connection

ROWS_MAX = 2_880
"""Rows a report has at most: two days of minutes; a longer sale is told in longer steps."""
STEPS_S = (60, 300, 900, 3_600, 21_600, 86_400, 7 * 86_400)
_SQL = load("report")


class CountedMinute(Protocol):
    """What was offered within a minute."""

    @property
    def offered(self) -> int:
        """Posts of orders."""

    @property
    def admitted(self) -> int:
        """Visitors let in."""

    @property
    def joined(self) -> int:
        """Visitors who joined the room."""

    @property
    def refused(self) -> Mapping[str, int]:
        """Of the offered, by code."""


class Course(NamedTuple):
    """How the sale went."""

    totals: Totals
    step_s: int
    minutes: list[MinuteRow]
    currency: str | None


async def course(connection: Connection, sale_number: int, news: Mapping[int, CountedMinute]) -> Course:
    """Read how a sale went; `news` is what was counted and is not in Postgres yet, by Unix minute."""
    counts: defaultdict[datetime, Counter[str]] = defaultdict(Counter)
    for row in await connection.fetch(_SQL["accepted_by_minute"], sale_number):
        counts[row["minute"]]["accepted"] = row["accepted"]
    for row in await connection.fetch(_SQL["decided_by_minute"], sale_number):
        counts[row["minute"]] += Counter(confirmed=row["confirmed"], cancelled=row["cancelled"])
    offered: dict[datetime, CountedMinute] = {
        one.minute: one for one in await sale_minutes.of_sale(connection, sale_number)
    }
    offered |= {datetime.fromtimestamp(minute * 60, UTC): one for minute, one in news.items()}
    refused: Counter[str] = Counter()
    for minute, one in offered.items():
        refused += Counter(one.refused)
        counts[minute] += Counter(
            offered=one.offered, joined=one.joined, admitted=one.admitted, refused=sum(one.refused.values())
        )
    step_s = step_of(counts)
    states = await connection.fetch(_SQL["states"], sale_number)
    total = sum(counts.values(), Counter())
    known = bool(offered)
    return Course(
        Totals(
            offered=total["offered"] if known else None,
            joined=total["joined"] if known else None,
            admitted=total["admitted"] if known else None,
            refused=dict(sorted(refused.items())) if known else None,
            accepted=sum(row["orders"] for row in states),
            confirmed=await connection.fetchval(_SQL["confirmed"], sale_number),
            states=_summed((row["status"], row["orders"]) for row in states),
            cancelled=_summed(
                (row["reason"] or "none", row["orders"]) for row in states if row["status"] == "cancelled"
            ),
        ),
        step_s,
        rows(counts, step_s, known=known),
        next((row["currency"] for row in states), None),
    )


def _summed(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for name, count in pairs:
        sums[name] += count
    return dict(sorted(sums.items()))


def step_of(moments: Iterable[datetime]) -> int:
    """Return the shortest step in which so many moments make few enough rows."""
    seconds = [int(one.timestamp()) for one in moments]
    return next((step for step in STEPS_S if len({one // step for one in seconds}) <= ROWS_MAX), STEPS_S[-1])


def rows(counts: Mapping[datetime, Counter[str]], step_s: int, *, known: bool) -> list[MinuteRow]:
    """Return the counts by step, in order; `known`: what was offered is known at all."""
    steps: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for moment, count in counts.items():
        steps[int(moment.timestamp()) // step_s] += count
    return [
        MinuteRow(
            at=datetime.fromtimestamp(step * step_s, UTC),
            offered=count["offered"] if known else None,
            joined=count["joined"] if known else None,
            admitted=count["admitted"] if known else None,
            refused=count["refused"] if known else None,
            accepted=count["accepted"],
            confirmed=count["confirmed"],
            cancelled=count["cancelled"],
        )
        for step, count in sorted(steps.items())
    ]
