"""What is to be done at the payment provider, as a queue. Owns the rows of `payment_operations`; never asks a provider.

Whoever decides that money is to move writes it down here, in the transaction of the decision: then it happens, whatever
dies in between. The money shift (`workers/payments/`) works the queue off and repeats each operation until it is done.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias
from uuid import UUID

import msgspec

from db.query_files import load

if TYPE_CHECKING:
    from db.connections.pool import Connection

OperationKind: TypeAlias = Literal["capture", "void", "refund", "look_up"]

_SQL = load("money")


async def queue_voids(connection: Connection, order_ids: Sequence[UUID], *, after_s: float = 0.0) -> None:
    """Let go what was held for these orders, and give back what was taken, whether or not anything was.

    `after_s` leaves time for an authorisation that may be under way. Asked for twice, it is done once, and sooner.
    """
    await connection.execute(_SQL["queue_once"], order_ids, "void", after_s)


async def keep_payment(connection: Connection, order_id: UUID) -> None:
    """Let nothing go that is held for an order after all: a void that is not done yet is dropped."""
    await connection.execute(_SQL["keep_payment"], order_id)


async def queue_look_ups(connection: Connection, order_ids: Sequence[UUID], *, after_s: float = 0.0) -> None:
    """Ask the provider what it has of these orders, and act on what it says. Asked for twice, it is done once."""
    await connection.execute(_SQL["queue_once"], order_ids, "look_up", after_s)


async def queue_capture(connection: Connection, order_id: UUID, amount: int, *, shipment_id: UUID | None) -> None:
    """Take money that is held, for a parcel or to confirm the order; `amount` in minor units, above 0."""
    await connection.execute(_SQL["queue_capture"], order_id, amount, shipment_id)


async def queue_refund(connection: Connection, order_id: UUID, amount: int, *, refund_id: UUID) -> None:
    """Give money back that was taken; `amount` in minor units, above 0."""
    await connection.execute(_SQL["queue_refund"], order_id, amount, refund_id)


async def queue_refund_of_rest(connection: Connection, order_id: UUID, amount: int, *, reason: str) -> None:
    """Give back money that a cancelled order has no right to, with the refund's row and event."""
    await connection.execute(_SQL["queue_refund_of_rest"], order_id, amount, reason)


class PaymentOperation(NamedTuple):
    """What is to be done at the provider; `amount` in minor units, of a capture or refund."""

    operation_id: int
    order_id: UUID
    kind: OperationKind
    amount: int | None
    attempts: int
    due_at: datetime
    done_before: int = 0
    """Of one that was tried before: how much of its kind was done for the order, in minor units."""

    @property
    def key(self) -> str:
        """The idempotency key at the provider."""
        return f"{self.order_id}:{self.kind}:{self.operation_id}"


class OperationCursor(NamedTuple):
    """A position in the order of work."""

    due_at: datetime
    operation_id: int


BEGINNING = OperationCursor(datetime.min.replace(tzinfo=UTC), 0)


async def due_operations(
    connection: Connection, *, after: OperationCursor = BEGINNING, limit: int = 1_000
) -> list[PaymentOperation]:
    """Return what is to be done now, oldest first, behind `after`."""
    rows = await connection.fetch(_SQL["due_operations"], *after, limit)
    return [PaymentOperation(*row.values())._replace(order_id=UUID(int=row["order_id"].int)) for row in rows]


async def any_due(connection: Connection) -> bool:
    """Say whether there is anything to do at the provider now."""
    return bool(await connection.fetchval(_SQL["any_due"]))


class OrderMoney(NamedTuple):
    """All that a decision about an order's money needs, in minor units."""

    order_id: UUID
    status: str
    reason: str | None
    total: int
    currency: str
    payment_token: str | None
    payment: str | None
    authorised: int | None
    """Held to be taken at shipping; None: it is taken at once."""
    captured: int
    refunded: int
    reference: str | None
    accepted_at: datetime
    mode: str
    """How its sale takes money now."""
    card_limited: bool
    """Its sale limits what one card may have."""
    attempts: int | None
    """Of its reservation; None: no units are reserved for a pending order."""
    expired: bool | None
    """The hold is over."""
    extended: bool | None
    """The hold was made longer."""
    kept: int
    """What its lines cost that are neither cancelled nor returned."""
    open_units: int
    """Have neither left nor been cancelled."""
    refunding: int
    """Queued to be given back, or failed for good."""
    capturing: int
    """Queued to be taken, or failed for good."""
    voiding: bool
    """A void is queued, or failed for good."""
    paid_elsewhere: bool = False
    """Confirmed by hand, and not paid at the provider."""
    letting_go: bool = False
    """A void was decided and may be on its way, so nothing that it lets go may be relied on."""

    @property
    def is_held(self) -> bool:
        """Whether units are reserved for a pending order."""
        return self.attempts is not None

    @property
    def at_shipping(self) -> bool:
        """Whether its money is taken parcel by parcel."""
        return self.authorised is not None or (self.payment in (None, "requires_action") and self.mode == "authorise")


async def decide_voids(connection: Connection, voids: Sequence[PaymentOperation]) -> set[int]:
    """Write down that these are going to be sent, with their orders locked; return those that still are to be."""
    ids, orders = [one.operation_id for one in voids], [one.order_id for one in voids]
    return {row["operation_id"] for row in await connection.fetch(_SQL["decide_voids"], ids, orders)}


async def lock_orders(connection: Connection, order_ids: Collection[UUID]) -> None:
    """Lock orders until the transaction ends, in the order of their ids."""
    await connection.execute(_SQL["lock_orders"], list(order_ids))


async def money_of(
    connection: Connection, order_ids: Collection[UUID], *, done: Sequence[int] = ()
) -> dict[UUID, OrderMoney]:
    """Return the money of these orders; the operations of these ids are done, and count as such."""
    rows = await connection.fetch(_SQL["money_of"], list(order_ids), list(done))
    found = [OrderMoney(*row.values())._replace(order_id=UUID(int=row["order_id"].int)) for row in rows]
    return {one.order_id: one for one in found}


class NotedPayment(NamedTuple):
    """What an order's row says of its payment, in minor units."""

    payment: str | None
    authorised: int | None
    captured: int
    refunded: int
    reference: str | None


async def note_payment(connection: Connection, order_id: UUID, noted: NotedPayment) -> None:
    """Write down what the provider has of an order's money."""
    await connection.execute(_SQL["note_payment"], order_id, *noted)


async def finish(connection: Connection, operation_id: int, *, done: bool, detail: str | None = None) -> None:
    """Note that an operation was done, or failed for good; the refund it carries out with it."""
    await connection.execute(_SQL["finish_operation"], operation_id, "done" if done else "failed", detail)


async def put_off(connection: Connection, operation_id: int, *, seconds: float, detail: str) -> None:
    """Try an operation again later."""
    await connection.execute(_SQL["put_off_operation"], operation_id, seconds, detail)


class OpenOperations(NamedTuple):
    """How much is to be done at the provider; counted up to 10,000."""

    due: int
    oldest_s: float
    """For how many seconds the oldest has been due; 0: none is."""
    failed: int


async def open_operations(connection: Connection) -> OpenOperations:
    """Return how much is to be done at the provider, and how much failed for good."""
    row = await connection.fetchrow(_SQL["open_operations"])
    assert row is not None
    return OpenOperations(row["due"], max(row["oldest_s"] or 0.0, 0.0), row["failed"])


class FailedOperation(msgspec.Struct, frozen=True, kw_only=True):
    """An operation that the provider will not do: a dead letter of kind `payment`."""

    operation_id: int
    order_id: UUID
    kind: OperationKind
    amount: int | None
    attempts: int
    created_at: datetime
    finished_at: datetime
    detail: str | None
    state: Literal["failed", "discarded"]
    discard_reason: str | None


async def list_failed(connection: Connection, *, before: int | None = None, limit: int = 50) -> list[FailedOperation]:
    """Return operations that failed for good and nobody has given up, newest first."""
    return [_failed(row) for row in await connection.fetch(_SQL["list_failed"], before, limit)]


async def read_failed(connection: Connection, operation_id: int) -> FailedOperation | None:
    """Return an operation that failed for good, given up or not."""
    row = await connection.fetchrow(_SQL["read_failed"], operation_id)
    return None if row is None else _failed(row)


async def retry_failed(connection: Connection, operation_id: int) -> bool:
    """Have an operation tried again under the same key; False: it did not fail, or one of its kind is due already."""
    return await connection.fetchval(_SQL["retry_failed"], operation_id) is not None


async def discard_failed(connection: Connection, operation_id: int, *, reason: str) -> bool:
    """Give an operation up that failed for good; False: it did not."""
    return await connection.fetchval(_SQL["discard_failed"], operation_id, reason) is not None


def _failed(row: Any) -> FailedOperation:
    return FailedOperation(**dict(row) | {"order_id": UUID(int=row["order_id"].int)})
