"""How many connections a process can hold open. Owns the limit on its descriptors; opens none."""

from __future__ import annotations

import resource

RESERVE = 256
"""Descriptors kept back for the stores, files and listeners of a process."""
CONNECTIONS_MIN = 8


def raise_limit() -> None:
    """Raise the soft limit on descriptors to the hard one, which is what an administrator meant."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def connections_within(most: int) -> int:
    """Return how many connections there may be: at most so many, and no more than the limit leaves."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return most
    return max(CONNECTIONS_MIN, min(most, soft - min(RESERVE, soft // 2)))
