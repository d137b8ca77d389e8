"""What is to be done at the payment provider, as a queue. Owns the rows of `payment_operations`; never asks a provider.

Whoever decides that money is to move writes it down here, in the transaction of the decision: then it happens, whatever
dies in between. The money shift (`workers/payments/`) works the queue off and repeats each operation until it is done.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from db.query_files import load

if TYPE_CHECKING:
    from db.connections.pool import Connection

_SQL = load("money")


async def queue_voids(connection: Connection, order_ids: Sequence[UUID], *, after_s: float = 0.0) -> None:
    """Let go what was held for these orders, and give back what was taken, whether or not anything was.

    `after_s` leaves time for an authorisation that may be under way. Asked for twice, it is done once.
    """
    await connection.execute(_SQL["queue_once"], order_ids, "void", after_s)


async def queue_look_ups(connection: Connection, order_ids: Sequence[UUID], *, after_s: float = 0.0) -> None:
    """Ask the provider what it has of these orders, and act on what it says. Asked for twice, it is done once."""
    await connection.execute(_SQL["queue_once"], order_ids, "look_up", after_s)


async def queue_capture(connection: Connection, order_id: UUID, amount: int, *, shipment_id: UUID) -> None:
    """Take money that is held, for a parcel; `amount` in minor units, above 0."""
    await connection.execute(_SQL["queue_capture"], order_id, amount, shipment_id)


async def queue_refund(connection: Connection, order_id: UUID, amount: int, *, refund_id: UUID) -> None:
    """Give money back that was taken; `amount` in minor units, above 0."""
    await connection.execute(_SQL["queue_refund"], order_id, amount, refund_id)
