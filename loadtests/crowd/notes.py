"""What the people of a Locust run noted, one set of notes a process. Owns their shape and their sum; sends nothing."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable


class Notes(msgspec.Struct, kw_only=True):
    """Counts of one process, or of all of them."""

    ids: list[str] = []
    """Orders that were answered 202, once for each answer."""
    outcomes: dict[str, int] = {}
    """By the code of a refusal, the final status of an order, or `http_STATUS`; what bots heard begins with `bot: `."""
    people: dict[str, int] = {}
    """Who came, by kind."""
    unwatched: int = 0
    """Orders that were not final when nobody watched them any longer."""
    replays: int = 0
    replays_differ: int = 0
    """Orders sent again that were answered with another order."""
    reads: int = 0
    unadmitted: int = 0
    """Orders accepted of people who were never let in, though the sale has a waiting room."""
    late_s: float = 0.0
    offered: int = 0
    by_second: list[tuple[int, int, int]] = []
    """Second of the run, arrivals offered, arrivals sent."""

    def count(self, outcome: str) -> None:
        """Count what came of somebody."""
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1

    def came(self, kind: str) -> None:
        """Count somebody."""
        self.people[kind] = self.people.get(kind, 0) + 1


def merged(several: Iterable[Notes]) -> Notes:
    """Return what several processes noted as one."""
    notes = list(several)
    offered, sent = Counter[int](), Counter[int]()
    for one in notes:
        for second, due, done in one.by_second:
            offered[second] += due
            sent[second] += done
    return Notes(
        ids=[order_id for one in notes for order_id in one.ids],
        outcomes=_sum(one.outcomes for one in notes),
        people=_sum(one.people for one in notes),
        unwatched=sum(one.unwatched for one in notes),
        replays=sum(one.replays for one in notes),
        replays_differ=sum(one.replays_differ for one in notes),
        reads=sum(one.reads for one in notes),
        unadmitted=sum(one.unadmitted for one in notes),
        late_s=max((one.late_s for one in notes), default=0.0),
        offered=sum(one.offered for one in notes),
        by_second=[(second, offered[second], sent[second]) for second in sorted(offered | sent)],
    )


def _sum(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    return dict(sum((Counter(one) for one in counts), Counter[str]()))
