"""What is known of the order store's losses: rows of `store_losses` and `lost_orders`. Owns them; judges nothing.

A server that takes over from one that died has a beginning of what that had. Drains find it where their cursors lie
beyond it, intakes where orders they answered 202 are gone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args
from uuid import UUID

import msgspec

from db import ops_log
from db.query_files import load
from doorbuster.orderstore.partition import START
from doorbuster.values.shadows import is_shadow

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from db.connections.pool import Connection
    from db.work.due_work import Place

_SQL = load("store_losses")
FOUND = "order_store.lost_its_end"
LOST = "order_store.lost_orders"


State = Literal["open", "settled", "acknowledged"]
"""Something is lost, or nobody knows; nothing is; ops know of it."""
STATES: tuple[State, ...] = get_args(State)


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


class AskedIntake(msgspec.Struct, frozen=True, kw_only=True):
    """An intake that a loss was asked of."""

    intake_id: str
    said_at: datetime | None
    """When it had looked for all that it had accepted; None: it has not, or cannot say."""
    seen_at: datetime | None
    """When it last said that it lives."""


class KnownLoss(msgspec.Struct, frozen=True, kw_only=True):
    """A loss with all that is known of it."""

    loss_id: int
    sale_id: str
    partition: int
    at: datetime
    found_by: Literal["drain", "intake"]
    state: State
    missing: int
    strays: int
    history_to: str
    """Up to which entry the store knew that it was drained."""
    drained_to: str
    """Up to which it had been."""
    lost_orders: int
    order_ids: list[str]
    """Of these, a hundred at most."""
    is_unknown: bool
    """That more orders are lost cannot be ruled out."""
    asked: int
    said: int
    intakes: list[AskedIntake]
    """Of those asked a hundred at most, first who is silent."""
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    acknowledge_reason: str | None


class LossFilter(NamedTuple):
    """Which losses a list shows; `before` is the id of the page before's last."""

    before: int | None = None
    sale_id: str | None = None
    states: Sequence[State] = STATES
    loss_id: int | None = None


class Summary(NamedTuple):
    """The losses of the last day."""

    last_at: datetime | None
    """Of any loss ever."""
    losses: int
    unwitnessed: int
    """Of them: where an intake that may have accepted orders did not say that it has looked for them all."""
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
                f"the order store came back without its end {self.unwitnessed} times within a day, and that accepted "
                "orders were lost with it cannot be ruled out: not every intake that took orders has looked for its own"
            )
        return "; ".join(said) + (
            "; when that is dealt with: doorbuster losses list, losses acknowledge" if said else ""
        )


async def note(connection: Connection, place: Place, gap: Gap) -> None:
    """Write a loss down, once, in the transaction that goes back for it; and in the log of ops if it was in use."""
    if is_shadow(place[0]):
        return
    _, in_use = await _note(connection, place, gap, "drain")
    if in_use:
        await ops_log.note(
            connection, FOUND, await _target(connection, place[0]), {"partition": place[1], **gap._asdict()}
        )


async def suspect(connection: Connection, places: Iterable[Place]) -> None:
    """Write down, in the caller's transaction, that orders accepted in these partitions may be lost."""
    await connection.execute(_SQL["lock_place"])
    for place in places:
        await _of_intakes(connection, place)


async def _note(connection: Connection, place: Place, gap: Gap, found_by: str) -> tuple[int, bool]:
    cursor_ms = int(gap.cursor_id.partition("-")[0])
    row = await connection.fetchrow(_SQL["note_loss"], *place, *gap, cursor_ms, found_by)
    assert row is not None
    return row["loss_id"], row["in_use"]


async def _of_intakes(connection: Connection, place: Place) -> int:
    """Return the loss that an intake's news of a partition belongs to: one that is known, or a new one."""
    known: int | None = await connection.fetchval(_SQL["loss_of_place"], *place)
    if known is not None:
        return known
    cursor = await connection.fetchval(_SQL["cursor_of"], *place) or START
    loss_id, _ = await _note(connection, place, Gap(cursor, cursor, START, 0, 0), "intake")
    return loss_id


async def last_loss(connection: Connection) -> int:
    """Return the number of the latest loss, 0 if there was none."""
    found: int = await connection.fetchval(_SQL["last_loss"])
    return found


async def fresh(connection: Connection, *, within_s: float, silent_s: float) -> bool:
    """Say whether a loss was found within so many seconds that intakes, heard of within `silent_s`, still look into."""
    return bool(await connection.fetchval(_SQL["fresh"], within_s, silent_s))


async def after(connection: Connection, loss_id: int) -> list[Loss]:
    """Return the losses found after that one, at most a thousand."""
    rows = await connection.fetch(_SQL["losses_after"], loss_id)
    return [Loss(row["loss_id"], (row["sale_number"], row["partition"]), row["cursor_id"]) for row in rows]


async def testify(connection: Connection, witness: UUID, loss_ids: Collection[int]) -> None:
    """Note that an intake has looked for all it had accepted that these losses may have taken."""
    await connection.execute(_SQL["testify"], witness, list(loss_ids), True)
    await connection.execute(_SQL["count_witness"], list(loss_ids))  # processes of the version before go by the count


async def cannot_say(connection: Connection, witness: UUID, loss_ids: Collection[int]) -> None:
    """Note that an intake has not all of it in mind that these losses may have taken."""
    await connection.execute(_SQL["testify"], witness, list(loss_ids), False)


async def known(connection: Connection, order_ids: Collection[UUID]) -> set[UUID]:
    """Return those of the orders that Postgres has, as an order or a dead letter."""
    return {UUID(int=row["order_id"].int) for row in await connection.fetch(_SQL["known"], list(order_ids))}


async def note_lost(connection: Connection, lost: Sequence[LostOrder]) -> int:
    """Write lost orders down, each once, with an entry of the log of ops a sale; return how many are new.

    Each belongs to a loss of its partition, so that ops can see and acknowledge it.
    """
    new: Counter[int] = Counter()
    async with connection.transaction():
        await connection.execute(_SQL["lock_place"])
        for place in sorted({one.place for one in lost}):
            here = [one for one in lost if one.place == place]
            known = await connection.fetch(_SQL["known_lost"], [one.order_id for one in here])
            if len(known) == len(here):
                continue
            columns = [[one.order_id for one in here], [place[0]] * len(here), [place[1]] * len(here)]
            loss_id = await _of_intakes(connection, place)
            rows = await connection.fetch(_SQL["note_lost"], *columns, [one.entry_id for one in here], loss_id)
            new[place[0]] += len(rows)
        for sale_number, count in new.items():
            first = [str(one.order_id) for one in lost if one.place[0] == sale_number][:100]
            await ops_log.note(
                connection, LOST, await _target(connection, sale_number), {"orders": count, "order_ids": first}
            )
    return new.total()


async def summary(connection: Connection) -> Summary:
    """Return what is known of losses."""
    row = await connection.fetchrow(_SQL["summary"])
    assert row is not None
    return Summary(*row.values())


async def list_losses(connection: Connection, chosen: LossFilter, *, limit: int = 50) -> list[KnownLoss]:
    """Return losses, newest first."""
    rows = await connection.fetch(_SQL["list_losses"], *chosen[:2], list(chosen.states), limit, chosen.loss_id)
    return [_known(dict(row)) for row in rows]


def _known(row: dict[str, Any]) -> KnownLoss:
    asked = zip(row.pop("witness_ids"), row.pop("said_at"), row.pop("seen_at"), strict=True)
    intakes = [AskedIntake(intake_id=str(one), said_at=said, seen_at=seen) for one, said, seen in asked]
    return KnownLoss(**row | {"order_ids": [str(one) for one in row["order_ids"]], "intakes": intakes})


async def hold_loss(connection: Connection, loss_id: int) -> KnownLoss | None:
    """Return a loss, and let nobody else acknowledge it until the transaction ends; None: there is none."""
    await connection.execute(_SQL["hold_loss"], loss_id)
    found = await list_losses(connection, LossFilter(loss_id=loss_id), limit=1)
    return found[0] if found else None


async def acknowledge(connection: Connection, loss_id: int, by: str, reason: str) -> None:
    """Note that ops know of a loss: nobody is woken by it any more, and the audit counts it for ever."""
    await connection.execute(_SQL["acknowledge"], loss_id, by, reason)


async def _target(connection: Connection, sale_number: int) -> str:
    return f"sale:{await connection.fetchval(_SQL['name_of'], sale_number)}"
