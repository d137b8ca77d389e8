"""Says what Postgres lost: a failover to a server that lacked the last commits takes the cursor back with them.

The drain then reads those entries again, which makes the same orders (docs/operations.md). Owns the comparison with
what the order store was told of commits; changes nothing.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from doorbuster.orderstore import backlog
from doorbuster.orderstore.partition import place_of, read_after

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from db.work.due_work import Partition
    from doorbuster.orderstore.backlog import Stream

log = logging.getLogger("doorbuster.workers.drain")


class Rewind(NamedTuple):
    """What is drained once more."""

    commits_lost: int
    """Entries that had been worked off, and are to be again."""
    gone: int
    """Of these, so many are not in the stream any more: their orders are lost."""


async def replay(orders: Redis, partition: Partition, cursor: str, drained: int, stream: Stream) -> Rewind | None:
    """Return what a drain that begins at this cursor does once more; None: Postgres has all that was told of it."""
    if stream.told <= drained:
        return None
    first = await read_after(orders, partition, "0-0", count=1)
    gone = 0
    if not first or place_of(first[0][0].decode()) > place_of(cursor):
        # All that is there lies behind the cursor, so what was accepted since and is not there was trimmed.
        accepted, held = await backlog.accepted_and_held(orders, partition)
        gone = min(max(accepted - drained - held, 0), stream.told - drained)
    return Rewind(stream.told - drained, gone)


def tell(found: Rewind, name: str) -> None:
    """Log it: of orders that are gone somebody must know."""
    extra = {"shift": name, **found._asdict()}
    if found.gone:
        log.error("Postgres lost commits, and their entries are gone from the stream: orders are lost", extra=extra)
    else:
        log.warning("Postgres lost commits: their entries are drained again", extra=extra)
