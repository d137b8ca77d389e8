"""When a product was sold out in a sale, from the turns of its stock and of the sale's allotment. Pure.

Units can be had while there are both: some in stock, and some left of the allotment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple


class Turn(NamedTuple):
    """Units ran out, or came back."""

    at: datetime
    sold_out: bool
    tx: int
    """The transaction: what it turned last is what others saw."""


class Spell(NamedTuple):
    """A time without units; `until` None: it lasts."""

    since: datetime
    until: datetime | None


def seen(turns: Iterable[Turn]) -> list[Turn]:
    """Return the turns of one shelf that others saw: of each transaction the last, and only what changed anything."""
    left: list[Turn] = []
    for turn in turns:
        if left and left[-1].tx == turn.tx:
            left.pop()
        if not left or left[-1].sold_out != turn.sold_out:
            left.append(turn)
    return left


def spells(stock: Sequence[Turn], allotment: Sequence[Turn], *, now: tuple[bool, bool], start: datetime) -> list[Spell]:
    """Return the times without units from the start on.

    `now` says whether stock and allotment are gone by now: a shelf without any turn was so all the time, one with turns
    was the other way before the first.
    """
    shelves = [seen(stock), seen(allotment)]
    gone = [not turns[0].sold_out if turns else last for turns, last in zip(shelves, now, strict=True)]
    moves = sorted(((turn.at, place, turn.sold_out) for place, turns in enumerate(shelves) for turn in turns))
    found: list[Spell] = []
    since: datetime | None = start if any(gone) else None
    for at, place, sold_out in moves:
        gone[place] = sold_out
        if any(gone) and since is None:
            since = at
        elif not any(gone) and since is not None:
            found.append(Spell(since, at))
            since = None
    if since is not None:
        found.append(Spell(since, None))
    return [Spell(max(one.since, start), one.until) for one in found if one.until is None or one.until > start]
