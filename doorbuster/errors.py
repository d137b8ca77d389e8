"""The one error root. Owns the domain's exceptions; outcomes that happen all day are values, not exceptions."""

from __future__ import annotations


class DoorbusterError(Exception):
    """Root of every error Doorbuster raises on purpose; `code` is stable and shown to callers."""

    code = "internal"

    def __init__(self, detail: str, **context: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.context = context


class SettingsError(DoorbusterError):
    """Settings are missing or wrong; `detail` names every mistake, one a line."""

    code = "settings"


class NotFoundError(DoorbusterError):
    """What was named does not exist."""

    code = "not_found"


class ConflictError(DoorbusterError):
    """What was asked contradicts what is stored."""

    code = "conflict"


class IllegalTransitionError(ConflictError):
    """The state machine has no such step from the order's present state."""

    code = "illegal_transition"


class PaymentOpenError(ConflictError):
    """Whoever confirms an order by hand does not say how it is paid; the context has its payment's status."""

    code = "payment_open"


class SoldOutError(ConflictError):
    """There are no units left of a product; the context says of which, and for which line."""

    code = "sold_out"


class RefundTooLargeError(DoorbusterError):
    """More is to be given back than was taken and is still there; `refundable` in the context says how much is."""

    code = "refund_too_large"


class InvalidError(DoorbusterError):
    """A value is out of bounds; `fields` names each as (field, problem)."""

    code = "invalid"

    def __init__(self, detail: str, fields: list[tuple[str, str]] | None = None) -> None:
        super().__init__(detail)
        self.fields = fields or []

    @classmethod
    def naming(cls, fields: list[tuple[str, str]], *, most: int | None = None) -> InvalidError:
        """Make the error whose words are its fields, at most so many of them."""
        return cls("; ".join(f"{field}: {problem}" for field, problem in fields[:most]), fields)


class StoreUnavailableError(DoorbusterError):
    """A store did not answer in time, or not as it must; the outcome of the call is unknown."""

    code = "store_unavailable"


class LeaseLostError(DoorbusterError):
    """Another shift holds the lease now; nothing of the batch was written."""

    code = "lease_lost"
