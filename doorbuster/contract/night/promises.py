"""What an audit of the promises found, as the ops API and the command line say it. Owns the shape; asks no store."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from doorbuster.contract.fields import Moment

Verdict = Literal["holds", "broken"]


class PromiseFigure(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One figure of an audit; anything but no breaches breaks the promise."""

    promise: str
    """Like `P2`."""
    what: str
    value: int
    breaches: int
    verdict: Verdict
    acknowledged: int = 0
    """Of the breaches: what ops have acknowledged as a loss; they count for ever, and wake nobody any more."""


class PromisesView(Struct, frozen=True, kw_only=True):
    """What an audit found: of all sales together."""

    at: Moment
    """When it began to look."""
    took_ms: int
    breaches: int
    figures: list[PromiseFigure]
    states: dict[str, int]
    """Orders by state."""
