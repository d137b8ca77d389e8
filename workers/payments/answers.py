"""Answers of a payment provider that are not written yet. Owns what is kept of them, and no decision."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

if TYPE_CHECKING:
    from db.orders.money import PaymentOperation
    from workers.payments.gateway import ProviderPayment


class ProviderAnswer(NamedTuple):
    """What the provider has of an order's payment, and the operation that it answered; None: the settle shift asked."""

    order_id: UUID
    provider: ProviderPayment
    operation: PaymentOperation | None = None


@dataclass(slots=True)
class Answers:
    """What a settle shift is to write, by what it comes to; a batch of each kind at a time."""

    free: list[UUID] = field(default_factory=list)
    """Cost nothing, or nothing that is our business."""
    paid: list[ProviderAnswer] = field(default_factory=list)
    declined: list[UUID] = field(default_factory=list)
    unknown: list[UUID] = field(default_factory=list)
    """Timed out or failed: to be looked up."""
    waiting: list[UUID] = field(default_factory=list)
    """Wait for the shopper still: to be looked up as well."""
    ended: list[UUID] = field(default_factory=list)
    """Asked for the last time, or of a provider that is down: their hold is over."""
    others: list[ProviderAnswer] = field(default_factory=list)
    """To be decided with the order's row at hand."""
    _ids: set[UUID] = field(default_factory=set)
    """Answered, not written yet: not to be asked again meanwhile."""

    def __contains__(self, order_id: UUID) -> bool:
        return order_id in self._ids

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, kind: list[UUID], order_id: UUID) -> None:
        """Add an order to one of the lists above."""
        kind.append(order_id)
        self._ids.add(order_id)

    def add_answer(self, kind: list[ProviderAnswer], answer: ProviderAnswer) -> None:
        """Add an answer to one of the lists above."""
        kind.append(answer)
        self._ids.add(answer.order_id)

    def first(self, most: int) -> Answers:
        """Return the first of each kind, at most so many."""
        part = Answers(
            self.free[:most], self.paid[:most], self.declined[:most], self.unknown[:most], self.waiting[:most],
            self.ended[:most], self.others[:most],
        )  # fmt: skip
        part._ids.update(part.free, part.declined, part.unknown, part.waiting, part.ended)
        part._ids.update(answer.order_id for answer in (*part.paid, *part.others))
        return part

    def drop(self, written: Answers) -> None:
        """Forget what was written, which came first."""
        del self.free[: len(written.free)]
        del self.paid[: len(written.paid)]
        del self.declined[: len(written.declined)]
        del self.unknown[: len(written.unknown)]
        del self.waiting[: len(written.waiting)]
        del self.ended[: len(written.ended)]
        del self.others[: len(written.others)]
        self._ids -= written._ids
