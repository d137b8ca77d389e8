"""What is refused of a sale's timeline, each reason with the field and its index. Owns these rules; pure.

What a plan names must fit the sale's window and follow on what it named before. Of a sale that is under way what has
applied is past: it is neither looked at nor changed.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from doorbuster.errors import InvalidError
from doorbuster.values.timeline import follows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from db.sales import Sale
    from doorbuster.values.timeline import PlanEntry

_FIXED = {
    "lobby_opens_at": "cannot change by a timeline: the lobby opens once, before the start",
    "beacon": "cannot change by a timeline: it is in the draw at the start",
}


class PlannedWindow(NamedTuple):
    """When a sale is."""

    starts_at: datetime
    ends_at: datetime | None


def check_timeline(timeline: Sequence[PlanEntry], window: PlannedWindow, *, after: datetime | None = None) -> None:
    """Check what of a timeline comes after a moment; None: all of it.

    Raises:
        InvalidError: naming every entry that cannot be.
    """
    problems = [
        *_order_problems(timeline),
        *_phase_problems(timeline),
        *(
            problem
            for place, entry in enumerate(timeline)
            if after is None or entry.at > after
            for problem in _entry_problems(f"timeline[{place}]", entry, window)
        ),
    ]
    if problems:
        raise InvalidError("the timeline is not right", problems)


def _order_problems(timeline: Sequence[PlanEntry]) -> Iterator[tuple[str, str]]:
    for place, (before, entry) in enumerate(pairwise(timeline), 1):
        if _ms(entry.at) == _ms(before.at):
            yield f"timeline[{place}].at", f"is the moment of timeline[{place - 1}] too: make one entry of both"
        elif entry.at < before.at:
            yield f"timeline[{place}].at", f"must be after that of timeline[{place - 1}]: entries stand in time order"


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _phase_problems(timeline: Sequence[PlanEntry]) -> Iterator[tuple[str, str]]:
    standing, since = "", 0
    for place, entry in enumerate(timeline):
        where = f"timeline[{place}]"
        if standing == "closed":
            yield f"{where}.at", f"is after timeline[{since}], which closes the sale for good"
        elif entry.phase is not None and entry.phase == standing:
            yield f"{where}.phase", f"is {standing} already, by timeline[{since}]"
        elif entry.phase is not None and not follows(standing, entry.phase):
            yield f"{where}.phase", f"{entry.phase} cannot follow {standing} of timeline[{since}]: only closed can"
        elif entry.phase is not None:
            standing, since = entry.phase, place


def _entry_problems(where: str, entry: PlanEntry, window: PlannedWindow) -> Iterator[tuple[str, str]]:
    if window.ends_at is not None and entry.at >= window.ends_at:
        yield f"{where}.at", "must be before ends_at: nothing changes after the end"
    if entry.phase is not None and entry.at < window.starts_at:
        yield f"{where}.at", "must not be before starts_at: a phase begins with the sale, the start opens it"
    if entry.phase is None and not entry.room:
        yield where, "names neither a phase nor anything of the room"
    for name in entry.room.keys() & _FIXED.keys():
        yield f"{where}.room.{name}", _FIXED[name]


def check_past(sale: Sale, timeline: Sequence[PlanEntry]) -> None:
    """Check that a new timeline leaves as it was what has applied.

    Raises:
        InvalidError: naming what would change the past.
    """
    past = [entry for entry in sale.timeline if entry.at <= sale.read_at]
    problems = [
        (f"timeline[{place}]", "has applied already: it stays as it was")
        for place, (was, entry) in enumerate(zip(past, timeline, strict=False))
        if entry != was
    ]
    if len(timeline) < len(past):
        missing = past[len(timeline)]
        problems.append(("timeline", f"leaves out {missing.at.isoformat()}, which has applied already: it stays"))
    problems += [
        (f"timeline[{place}].at", "is in the past: change the sale itself instead")
        for place, entry in enumerate(timeline)
        if place >= len(past) and entry.at <= sale.read_at
    ]
    if problems:
        raise InvalidError("the timeline would change the past", problems)
