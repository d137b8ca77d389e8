"""How many posts of orders a sale was offered and refused, how many joined and were admitted, in this process.

Owns the counting, which costs one increment; `minute_flush.py` tells the room's store, which adds it up by minute.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from waitingroom.records.minutes import OFFERED

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

Counts = defaultdict[str, int]
"""By name: those of `waitingroom.records.minutes`, and codes of problems."""

MOST_SALES = 1_000
IDS_MAX = 100
"""Sales that are not at hand when something is counted of them; they are looked up with the next telling."""
_ORDERS = re.compile(r"/(?:sales/([A-Za-z0-9][A-Za-z0-9_.-]{0,63})/orders|shop/([A-Za-z0-9][A-Za-z0-9_.-]{0,63}))")


class MinuteCounts:
    """Counts since they were told last."""

    def __init__(self) -> None:
        self._by_number: dict[int, Counts] = {}
        self._by_id: dict[str, Counts] = {}
        self.number_of: Callable[[str], int | None] = lambda _sale_id: None
        """Returns the number of a sale that is at hand."""

    def of(self, number: int) -> Counts:
        """Return the counts of a sale, the same object for as long as somebody counts."""
        found = self._by_number.get(number)
        if found is None:
            found = self._by_number[number] = defaultdict(int)
        return found

    def offered_at(self, sale_id: str) -> None:
        """Count a post of an order to a sale that may not be at hand."""
        if (counts := self._at(sale_id)) is not None:
            counts[OFFERED] += 1

    def refused(self, method: str, path: str, code: str, *, is_offered: bool = False) -> None:
        """Count a problem if it answers a post of an order; `is_offered`: nobody has counted the post before."""
        if method != "POST" or (found := _ORDERS.fullmatch(path)) is None:
            return
        if (counts := self._at(found[1] or found[2])) is not None:
            counts[OFFERED] += is_offered
            counts[code] += 1

    def take(self) -> dict[int, dict[str, int]]:
        """Return what was counted by sale, and begin anew."""
        taken = {number: dict(counts) for number, counts in self._by_number.items() if counts}
        for number in taken:
            self._by_number[number].clear()
        return taken

    def not_at_hand(self) -> list[str]:
        """Return the ids of sales of which something was counted that were not at hand."""
        return list(self._by_id)

    def settle(self, sale_id: str, number: int | None) -> None:
        """Hear which sale an id is; None: there is none, and what was counted of it is nothing."""
        counted = self._by_id.pop(sale_id, Counts(int))
        if number is not None:
            counts = self.of(number)
            for name, count in counted.items():
                counts[name] += count

    def keep(self, numbers: Collection[int]) -> None:
        """Forget sales that nobody counts any more, when there are many."""
        if len(self._by_number) > 2 * MOST_SALES:
            self._by_number = {one: counts for one, counts in self._by_number.items() if counts or one in numbers}

    def _at(self, sale_id: str) -> Counts | None:
        if (number := self.number_of(sale_id)) is not None:
            return self.of(number)
        if sale_id not in self._by_id and len(self._by_id) >= IDS_MAX:
            return None
        return self._by_id.setdefault(sale_id, defaultdict(int))
