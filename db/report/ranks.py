"""Order and spread: Kendall's tau and quantiles. Pure; knows nothing of sales."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from doorbuster.contract.night.report import Spread

_RANKS = (0.5, 0.9, 0.99)
DECIMALS = 3


def kendall_tau(*lists: Sequence[int]) -> float | None:
    """Return how far these distinct numbers are in rising order: 1 all, -1 falling; None where there is no pair.

    Of several lists the pairs within each count. (concordant pairs - discordant pairs) / pairs, from the inversions,
    which are counted while merging (Knight 1966): O(n log n).
    """
    pairs = sum(len(ranks) * (len(ranks) - 1) // 2 for ranks in lists)
    return None if not pairs else 1 - 2 * sum(map(inversions, lists)) / pairs


def inversions(ranks: Sequence[int]) -> int:
    """Return how many pairs of distinct numbers stand in falling order."""
    runs = [[one] for one in ranks]
    count = 0
    while len(runs) > 1:
        merged = []
        for at in range(0, len(runs) - 1, 2):
            both, more = _merge(runs[at], runs[at + 1])
            merged.append(both)
            count += more
        if len(runs) % 2:
            merged.append(runs[-1])
        runs = merged
    return count


def _merge(left: list[int], right: list[int]) -> tuple[list[int], int]:
    if left[-1] < right[0]:  # which is nearly always so where nearly everything is in order
        return left + right, 0
    both: list[int] = []
    count = at = 0
    size = len(left)
    for one in right:
        while at < size and left[at] < one:
            both.append(left[at])
            at += 1
        both.append(one)
        count += size - at
    return both + left[at:], count


def spread(values: Iterable[float]) -> Spread:
    """Return quantiles by nearest rank: the smallest value that so great a share of all is not above."""
    ordered = sorted(values)
    if not ordered:
        return Spread(count=0)
    p50, p90, p99 = (ordered[math.ceil(share * len(ordered)) - 1] for share in _RANKS)
    return rounded(len(ordered), [p50, p90, p99], ordered[-1])


def rounded(count: int, ranks: Sequence[float], most: float) -> Spread:
    """Return a spread whose seconds have milliseconds."""
    p50, p90, p99 = (round(one, DECIMALS) for one in ranks)
    return Spread(count=count, p50=p50, p90=p90, p99=p99, max=round(most, DECIMALS))


def median(values: Iterable[float]) -> float | None:
    """Return the median by nearest rank."""
    return spread(values).p50
