"""What a run of reads found, and which of it is a fault. Owns the judgement; measures and prints nothing."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus

import msgspec

from loadtests.generate.looks import KINDS, Looks
from loadtests.scene.system import Audit
from loadtests.traffic.browsing import Browsed
from loadtests.traffic.plan import Result

LATE_S, OTHERS_SHARE = 0.5, 0.25
"""Where the generator was so late, or others took such a part of the machine's processors, the run did not have the
machine to itself: searches and category pages may be refused then."""
_SHED = HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE
PRODUCT, SEARCH, CATEGORY = range(len(KINDS))


class Emptied(msgspec.Struct):
    """When the cache was emptied."""

    at: datetime
    second: float
    """Of the run of reads."""


class Outcome(msgspec.Struct):
    """What a run found."""

    browsed: Browsed
    looks: Looks
    emptied: Emptied
    result: Result
    by_server: dict[str, int]
    """Reads of the database by server."""
    by_place: dict[tuple[str, ...], int]
    """Reads by what was read and where it was answered."""
    refills: dict[tuple[int, str, str], int]
    """Reads of the database after the emptying, by process, subject and part."""
    setbacks: dict[str, int]
    """What processes noted against replicas and the cache."""
    processor_s: dict[str, float]
    """Seconds of processor by role."""
    states: dict[str, int]
    missing: int
    audit: Audit
    others_share: float = 0.0
    """Part of the machine's processors that neither the system nor the generators used."""

    @property
    def failed(self) -> int:
        """Reads that were not answered 200."""
        return sum(status != HTTPStatus.OK for status in self.browsed.answers)

    def ended(self, kind: int, *allowed: HTTPStatus) -> int:
        """Return how many reads of a kind were answered otherwise than as allowed."""
        answers = self.browsed.answers
        return sum(status not in allowed and self.looks.kind_of(n) == kind for n, status in enumerate(answers))

    @property
    def is_disturbed(self) -> bool:
        """Whether other work had the machine."""
        return self.browsed.late_s > LATE_S or self.others_share > OTHERS_SHARE

    @property
    def most_refills(self) -> int:
        """The most that one process read one part from the database after the emptying."""
        return max(self.refills.values(), default=0)

    @property
    def faults(self) -> list[str]:
        """What was not as it must be."""
        ended = sum(count for code, count in self.result.outcomes.items() if code in ("accepted", "sold_out"))
        products = self.ended(PRODUCT, HTTPStatus.OK)
        others = self.failed - products
        if self.is_disturbed:
            others = self.ended(SEARCH, *_SHED) + self.ended(CATEGORY, *_SHED)
        primary = self.by_server.get("primary", 0)
        held = {
            f"{products:,} reads of product pages failed": not products,
            f"{others:,} reads of searches and category pages failed": not others,
            f"the primary answered {primary:,} reads": not primary,
            "no read of the database followed the emptying": bool(self.refills),
            f"a process read one part {self.most_refills} times after the emptying": self.most_refills <= 1,
            f"{self.missing:,} orders are unaccounted for": not self.missing,
            "orders are pending": not self.states.get("pending"),
            f"orders ended oddly: {self.result.outcomes}": ended == self.result.offered,
            f"the audit reports {self.audit.breaches:,} breaches": not self.audit.breaches,
        }
        return [what for what, holds in held.items() if not holds]
