"""Finds the entries that the database will not take. Owns the splitting; what a batch does is handed in.

A batch is one transaction, so one broken row fails all of it. Halves are tried in order until the culprit stands alone:
about 2 log2(n) transactions for one culprit, and everything around it is committed in the order of acceptance.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from doorbuster.failures import DATA_FAULT

if TYPE_CHECKING:
    from workers.drain.batch import Entry, Outcome

log = logging.getLogger("doorbuster.workers.bisect")


async def commit(
    entries: list[Entry],
    *,
    write: Callable[[list[Entry]], Awaitable[Outcome]],
    dead_letter: Callable[[Entry, str], Awaitable[Outcome]],
) -> list[Outcome]:
    """Write all entries, in order; those that fail alone for their data become dead letters with what it said."""
    try:
        return [await write(entries)]
    except DATA_FAULT as error:
        log.warning("a batch was refused", extra={"entries": len(entries), "error": error})
        if len(entries) == 1:
            return [await dead_letter(entries[0], f"{type(error).__name__}: {error}")]
    middle = len(entries) // 2
    return [
        *await commit(entries[:middle], write=write, dead_letter=dead_letter),
        *await commit(entries[middle:], write=write, dead_letter=dead_letter),
    ]
