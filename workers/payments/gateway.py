"""A payment provider as the shifts see it. Owns the interface and what comes back from it; never touches an order.

Every call answers what the provider has of the order's payment after it. Every call is idempotent: an authorisation by
the order's id, everything else by its `key`. So a shift that died between asking and committing asks again without
harm. What a provider may raise is told apart by what may be done next.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from doorbuster.failures import Failures


class ProviderStatus(StrEnum):
    """How an order's payment stands at the provider."""

    NOTHING = "nothing"
    """It never heard of it."""
    REQUIRES_ACTION = "requires_action"
    """The shopper must act; nothing is held."""
    AUTHORISED = "authorised"
    """Something is held and may be captured; some of it may be captured already."""
    CAPTURED = "captured"
    """Something was taken, nothing more is held; some or all of it may be refunded."""
    VOIDED = "voided"
    """Let go, or never held, and cannot be any more; nothing was taken."""
    DECLINED = "declined"
    """Refused; nothing is held."""


class ProviderPayment(NamedTuple):
    """What the provider has of an order's payment; amounts in minor units of its currency."""

    status: ProviderStatus
    authorised: int = 0
    """What it was authorised for; captured at once or not."""
    captured: int = 0
    """Taken so far; what is refunded of it stays counted."""
    refunded: int = 0
    """Given back so far."""
    reference: str | None = None
    """The provider's own id of the payment."""
    next_action: Mapping[str, Any] | None = None
    """What the shopper's page needs to go on, while action is required: JSON, the provider's own."""
    card: str | None = None
    """The fingerprint of the card: the same for the same card whoever pays with it; None: the provider has none."""
    detail: str | None = None
    """Why it was declined, in the provider's words."""

    @property
    def held(self) -> int:
        """What may still be captured."""
        return self.authorised - self.captured if self.status is ProviderStatus.AUTHORISED else 0


NOTHING = ProviderPayment(ProviderStatus.NOTHING)


class PaymentRequest(NamedTuple):
    """An order's payment, as every call is told of it; `total` in minor units of `currency`."""

    order_id: UUID
    total: int
    currency: str
    token: str | None
    """What the shop's page was given by the provider for this payment."""
    attempts: int = 0
    """Authorisations that were tried before."""
    capture: bool = True
    """Whether the authorisation takes the money at once; False: it holds it."""
    reference: str | None = None
    """The provider's id of the payment, if it is known."""
    since: datetime | None = None
    """The payment was not asked for before; None: not known."""


class ListedPayment(NamedTuple):
    """A payment in the provider's list; `order_id` is None where the provider has a payment that names no order."""

    order_id: UUID | None
    payment: ProviderPayment


class GatewayError(Exception):
    """The provider failed. Which of its kinds below it is says what may be done next; `str()` of it is for people."""


class OutcomeUnknownError(GatewayError):
    """Whether it was done is unknown: look up before repeating. `TimeoutError` and `OSError` mean this too."""


class GatewayDownError(GatewayError):
    """The provider could not be reached, or said that it is away: nothing was done, asking later is safe."""


class RateLimitedError(GatewayError):
    """The provider takes no more for now: nothing was done. `retry_after_s` is its word, None if it has none."""

    def __init__(self, detail: str, retry_after_s: float | None = None) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class PaymentRefusedError(GatewayError):
    """The provider will never do this: asking again changes nothing. A decline is none, it is a status."""


class NotListedError(GatewayError):
    """The provider cannot list its payments."""


class Gateway(Protocol):
    """A payment provider. Each shift has its own, and closes it. Every call may raise each kind of `GatewayError`."""

    def answers_at_once(self, payment: PaymentRequest) -> bool:
        """Say that authorising this payment waits for nothing and leaves nothing behind. False is always right.

        Then it costs no task, and may be asked for before it is certain that the order comes to be.
        """

    async def authorise(self, payment: PaymentRequest) -> ProviderPayment:
        """Hold the money, and take it when `payment.capture` says so; the order's id is the key.

        A repeated call answers what became of the first. Other terms under the same key raise `OutcomeUnknownError`.
        """

    async def capture(self, payment: PaymentRequest, amount: int, *, key: str, final: bool) -> ProviderPayment:
        """Take `amount` of what is held; `final`: what remains is let go.

        Raises:
            PaymentRefusedError: nothing, or less, is held.
        """

    async def void(self, payment: PaymentRequest, *, key: str) -> ProviderPayment:
        """Let go what is held, and let nothing be held for this order from now on, so far as the provider can.

        What was taken stays taken: the answer says so. Nothing to void is no error: the answer says NOTHING.
        """

    async def refund(self, payment: PaymentRequest, amount: int, *, key: str) -> ProviderPayment:
        """Give back `amount` of what was taken.

        Raises:
            PaymentRefusedError: less than that was taken and not given back.
        """

    async def look_up(self, payment: PaymentRequest) -> ProviderPayment:
        """Ask what the provider has of the order, by our id; changes nothing there."""

    def list(self, since: datetime) -> AsyncIterator[ListedPayment]:
        """Go through the payments that the provider was asked for since then, in no order.

        Raises (on the way):
            NotListedError: it cannot.
        """

    async def close(self) -> None:
        """Close what is open; closing again does nothing."""


UNKNOWN: Failures = (OutcomeUnknownError, TimeoutError, OSError)
"""Whether it was done is unknown: look up first."""

GATEWAY_FAILED: Failures = (GatewayError, TimeoutError, OSError)
"""The gateway did not answer, or not in time, or will not."""


def answered_at_once(asked: Coroutine[Any, Any, ProviderPayment]) -> ProviderPayment:
    """Drive a call that waits for nothing, without the cost of a task.

    Raises:
        GatewayError: it failed.
        TypeError: it waits, although its gateway said that it does not.
    """
    try:
        asked.send(None)
    except StopIteration as answer:
        return answer.value  # type: ignore[no-any-return]  # what a coroutine of its type returns
    asked.close()
    raise TypeError("a gateway that answers at once waited for something")
