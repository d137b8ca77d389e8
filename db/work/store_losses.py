"""What is known of the order store's losses: rows of `store_losses` and `lost_orders`. Owns them; judges nothing.

A server that takes over from one that died has a beginning of what that had. Drains find it where their cursors lie
beyond it, intakes where orders they answered 202 are gone.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from db import ops_log
from db.query_files import load
from doorbuster.values.shadows import is_shadow

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from db.connections.pool import Connection
    from db.work.due_work import Place

_SQL = load("store_losses")
FOUND = "order_store.lost_its_end"
LOST = "order_store.lost_orders"


class Gap(NamedTuple):
    """What a partition's stream lacks."""

    cursor_id: str
    """Up to which entry it was drained."""
    store_id: str
    """Up to which the store knows it: what lies behind it is read again."""
    last_id: str
    """The last id that the store has given."""
    missing: int
    """Entries drained before that it does not have any more."""
    strays: int
    """Entries accepted since, with ids below the cursor."""


class Loss(NamedTuple):
    """A loss that was found."""

    loss_id: int
    place: Place
    cursor_id: str


class LostOrder(NamedTuple):
    """An order that was answered 202 and is in neither store."""

    order_id: UUID
    place: Place
    entry_id: str


class Summary(NamedTuple):
    """The losses of the last day."""

    last_at: datetime | None
    """Of any loss ever."""
    losses: int
    unwitnessed: int
    """Of them: where nobody can say whether accepted orders were lost."""
    missing: int
    """Entries that had been drained before, so that nothing is lost with them."""
    lost: int
    """Orders answered 202 that are nowhere."""

    @property
    def words(self) -> str:
        """What there is to say; empty: nothing."""
        said = []
        if self.lost:
            said.append(f"{self.lost} orders answered 202 are in neither store: the order store lost them")
        if self.unwitnessed:
            said.append(
                f"the order store came back without its end {self.unwitnessed} times within a day, and no intake "
                "can say whether accepted orders were lost with it"
            )
        return "; ".join(said)


async def note(connection: Connection, place: Place, gap: Gap) -> None:
    """Write a loss down, once, in the transaction that goes back for it; and in the log of ops if it was in use."""
    if is_shadow(place[0]):
        return
    row = await connection.fetchrow(_SQL["note_loss"], *place, *gap, int(gap.cursor_id.partition("-")[0]))
    assert row is not None
    if row["in_use"]:
        await ops_log.note(
            connection, FOUND, await _target(connection, place[0]), {"partition": place[1], **gap._asdict()}
        )


async def last_loss(connection: Connection) -> int:
    """Return the number of the latest loss, 0 if there was none."""
    found: int = await connection.fetchval(_SQL["last_loss"])
    return found


async def fresh(connection: Connection, *, within_s: float) -> bool:
    """Say whether a loss was found within so many seconds of which no intake has said anything yet."""
    return bool(await connection.fetchval(_SQL["fresh"], within_s))


async def after(connection: Connection, loss_id: int) -> list[Loss]:
    """Return the losses found after that one, at most a thousand."""
    rows = await connection.fetch(_SQL["losses_after"], loss_id)
    return [Loss(row["loss_id"], (row["sale_number"], row["partition"]), row["cursor_id"]) for row in rows]


async def testify(connection: Connection, loss_ids: Collection[int]) -> None:
    """Note that an intake has looked for all it had accepted that these losses may have taken."""
    await connection.execute(_SQL["testify"], list(loss_ids))


async def known(connection: Connection, order_ids: Collection[UUID]) -> set[UUID]:
    """Return those of the orders that Postgres has, as an order or a dead letter."""
    return {UUID(int=row["order_id"].int) for row in await connection.fetch(_SQL["known"], list(order_ids))}


async def note_lost(connection: Connection, lost: Sequence[LostOrder]) -> int:
    """Write lost orders down, each once, with an entry of the log of ops a sale; return how many are new."""
    columns = [[one.order_id for one in lost], [one.place[0] for one in lost], [one.place[1] for one in lost]]
    async with connection.transaction():
        rows = await connection.fetch(_SQL["note_lost"], *columns, [one.entry_id for one in lost])
        for sale_number, count in Counter(row["sale_number"] for row in rows).items():
            first = [str(one.order_id) for one in lost if one.place[0] == sale_number][:100]
            await ops_log.note(
                connection, LOST, await _target(connection, sale_number), {"orders": count, "order_ids": first}
            )
    return len(rows)


async def summary(connection: Connection) -> Summary:
    """Return what is known of losses."""
    row = await connection.fetchrow(_SQL["summary"])
    assert row is not None
    return Summary(*row.values())


async def _target(connection: Connection, sale_number: int) -> str:
    return f"sale:{await connection.fetchval(_SQL['name_of'], sale_number)}"
