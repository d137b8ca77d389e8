"""Figures of a trace. Pure."""

from __future__ import annotations

from collections.abc import Sequence

_ROUNDING = 1e-6


def busiest(moments_ms: Sequence[int], window_ms: int) -> int:
    """Return the most moments in any window of that length, moments in ascending order."""
    most = first = 0
    for last, at_ms in enumerate(moments_ms):
        while at_ms - moments_ms[first] >= window_ms:
            first += 1
        most = max(most, last - first + 1)
    return most


def overdraft(moments_ms: Sequence[int], rate_per_s: float, burst: int) -> float:
    """Return by how much the moments ever overdrew a bucket of that rate and burst: 0 if they never exceeded it."""
    level, at_ms, worst = float(burst), moments_ms[0] if moments_ms else 0, 0.0
    for moment in moments_ms:
        level = min(burst, level + rate_per_s * (moment - at_ms) / 1000) - 1
        at_ms, worst = moment, min(worst, level)
    return -worst if worst < -_ROUNDING else 0.0


def percentile(values: Sequence[float], share: float) -> float:
    """Return a percentile by the nearest rank; 0 for no values."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


def kendall_tau(order: Sequence[int]) -> float:
    """Return Kendall's tau of a sequence of distinct numbers against ascending order, by counting its inversions."""
    size = len(order)
    if size < 2:
        return 1.0
    return 1 - 4 * _inversions(order) / (size * (size - 1))


def _inversions(order: Sequence[int]) -> int:
    ranks = {value: rank for rank, value in enumerate(sorted(order), 1)}
    tree = [0] * (len(order) + 1)
    inversions = 0
    for seen, value in enumerate(order):
        place = rank = ranks[value]
        smaller = 0
        while place:
            smaller += tree[place]
            place &= place - 1
        inversions += seen - smaller
        while rank < len(tree):
            tree[rank] += 1
            rank += rank & -rank
    return inversions
