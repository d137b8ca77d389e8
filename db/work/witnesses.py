"""What each process of the intake says of itself: that it lives, and what it accepted latest. Owns `intake_witnesses`.

Who accepted an order knows it in memory alone. What is written here outlives the process: the latest order of each
partition. A store's history is a beginning of its predecessor's, so where that one is, all before it are. What came
after the last note stays unknown.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from db.query_files import load

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from db.connections.pool import Connection
    from db.work.due_work import Place

_SQL = load("witnesses")


class Latest(NamedTuple):
    """The order that an intake accepted last in a partition."""

    entry_id: str
    order_id: UUID


class Word(NamedTuple):
    """What an intake says of itself."""

    durability: str
    """What an order had to reach before its 202."""
    histories: Sequence[str]
    """Replication ids of the order store's primaries when it last looked."""
    latest: Mapping[Place, Latest]


class Gone(NamedTuple):
    """An intake that ended, or is silent, and may have accepted what is not in Postgres."""

    witness: UUID
    seen_at: datetime
    has_ended: bool
    """It ended by itself: it accepted nothing after its last word."""
    silent_s: float
    word: Word


async def note(connection: Connection, witness: UUID, word: Word, *, ends: bool = False) -> None:
    """Write down what an intake says of itself; with `ends` for the last time."""
    places, latest = list(word.latest), list(word.latest.values())
    await connection.execute(
        _SQL["note"], witness, word.durability, list(word.histories), [one[0] for one in places],
        [one[1] for one in places], [one.entry_id for one in latest], [one.order_id for one in latest], ends,
    )  # fmt: skip


async def forget(connection: Connection) -> None:
    """Forget those of long ago."""
    await connection.execute(_SQL["forget"])


async def gone(connection: Connection, witness: UUID, *, silent_s: float) -> list[Gone]:
    """Return other intakes that ended, or were silent for so long, and whose matter is open; at most 20."""
    rows = await connection.fetch(_SQL["gone"], witness, silent_s)
    return [
        Gone(
            row["witness_id"], row["seen_at"], row["has_ended"], row["silent_s"],
            Word(
                row["durability"], row["histories"],
                {
                    (sale_number, partition): Latest(entry_id, UUID(int=order_id.int))
                    for sale_number, partition, entry_id, order_id in zip(
                        row["sale_numbers"], row["partitions"], row["entry_ids"], row["order_ids"], strict=True
                    )
                },
            ),
        )
        for row in rows
    ]  # fmt: skip


async def settle(connection: Connection, one: Gone) -> bool:
    """Close an intake's matter; say whether it was open still, and the intake as silent as it was."""
    return await connection.fetchval(_SQL["settle"], one.witness, one.seen_at) is not None
