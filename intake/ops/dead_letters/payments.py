"""Dead letters of payments: what the provider will not do. The workers ask the provider, never this."""

from __future__ import annotations

from typing import TYPE_CHECKING

from db.orders import money
from db.orders.dead_letters import list_payments
from doorbuster.contract.ops import DeadLetterView
from doorbuster.errors import ConflictError
from intake.ops.dead_letters.kind import LetterId, conflict, not_found

if TYPE_CHECKING:
    from collections.abc import Sequence

    from db.connections.pool import Connection
    from db.orders.dead_letters import LetterFilter, State
    from db.orders.money import FailedOperation


class PaymentLetters:
    """Steps of payments that failed for good; see `kind.LetterKind`."""

    async def page(self, connection: Connection, chosen: LetterFilter, *, limit: int) -> Sequence[DeadLetterView]:
        """Return them, newest first."""
        return [_show(letter) for letter in await list_payments(connection, chosen, limit=limit)]

    async def read(self, connection: Connection, number: int) -> DeadLetterView | None:
        """Return one; what is tried again is none any more."""
        row = await money.read_failed(connection, number)
        return None if row is None else _show(row)

    async def retry(self, connection: Connection, number: int) -> str | None:
        """Have the provider asked again, under the same key."""
        if not await money.retry_failed(connection, number):
            raise await _refusal(connection, number)
        return None

    async def discard(self, connection: Connection, number: int, reason: str) -> None:
        """Give it up: what the provider has is put right by hand."""
        if not await money.discard_failed(connection, number, reason=reason):
            raise await _refusal(connection, number)


async def _refusal(connection: Connection, number: int) -> Exception:
    found = await money.read_failed(connection, number)
    letter = LetterId("payment", number)
    if found is None:
        return not_found(letter)
    if found.state == "failed":
        return ConflictError(f"the same as the dead letter {letter} is to be done for its order already")
    return conflict(letter, "discarded")


def _show(letter: FailedOperation) -> DeadLetterView:
    state: State = "open" if letter.state == "failed" else "discarded"
    return DeadLetterView(
        dead_letter_id=LetterId("payment", letter.operation_id).shown,
        kind="payment",
        order_id=str(letter.order_id),
        operation=letter.kind,
        amount=letter.amount,
        reason="payment_refused",
        detail=letter.detail or "",
        state=state,
        failures=letter.attempts,
        created_at=letter.created_at,
        failed_at=letter.finished_at,
        retried_at=None,
        discarded_at=letter.finished_at if state == "discarded" else None,
        discard_reason=letter.discard_reason,
    )
