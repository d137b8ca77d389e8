"""Dead letters of webhooks: deliveries that an endpoint did not take for too long. The workers deliver, never this."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET

from db.webhooks import letters
from doorbuster.contract.ops import DeadLetterView
from intake.ops.dead_letters.kind import LetterId, conflict, not_found

if TYPE_CHECKING:
    from collections.abc import Sequence

    from db.connections.pool import Connection
    from db.orders.dead_letters import LetterFilter, State
    from db.webhooks.letters import DeliveryLetter


class DeliveryLetters:
    """Deliveries that were given up; see `kind.LetterKind`."""

    async def page(self, connection: Connection, chosen: LetterFilter, *, limit: int) -> Sequence[DeadLetterView]:
        """Return them, newest first."""
        return [_show(letter) for letter in await letters.list_letters(connection, chosen, limit=limit)]

    async def read(self, connection: Connection, number: int) -> DeadLetterView | None:
        """Return one, with what is delivered."""
        row = await letters.read_letter(connection, number)
        if row is None:
            return None
        view = _show(row)
        view.payload = UNSET if row.body is None else msgspec.json.decode(row.body)
        return view

    async def retry(self, connection: Connection, number: int) -> str | None:
        """Have it delivered again, for as long as a new one."""
        if not await letters.retry(connection, number):
            raise await _refusal(connection, number)
        return None

    async def discard(self, connection: Connection, number: int, reason: str) -> None:
        """Give it up for good."""
        if not await letters.discard(connection, number, reason):
            raise await _refusal(connection, number)


async def _refusal(connection: Connection, number: int) -> Exception:
    found = await letters.read_letter(connection, number)
    letter = LetterId("delivery", number)
    return not_found(letter) if found is None else conflict(letter, found.state)


def _show(letter: DeliveryLetter) -> DeadLetterView:
    return DeadLetterView(
        dead_letter_id=LetterId("delivery", letter.delivery_id).shown,
        kind="delivery",
        order_id=None if letter.order_id is None else str(letter.order_id),
        webhook_id=letter.webhook_id,
        url=letter.url,
        event_id=letter.event_id,
        type=letter.type,
        status_code=letter.status_code,
        reason="not_delivered",
        detail=letter.error or "",
        state=letter.state,
        failures=letter.attempts,
        created_at=letter.created_at,
        failed_at=letter.died_at,
        retried_at=None,
        discarded_at=letter.finished_at if letter.state == _DISCARDED else None,
        discard_reason=letter.discard_reason,
    )


_DISCARDED: State = "discarded"
