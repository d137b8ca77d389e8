"""When and how far a sale is warmed up before its start. Owns the defaults; starts nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

LEAD_S = 1800
CHECKS_AT_S = (1800, 600, 120)
"""Seconds before the start at which everything is checked, as far as the lead reaches."""


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """How many processes there are to be from the lead on until after the sale; None: as many as there are."""

    intake: int | None = None
    workers: int | None = None


class Prewarm(msgspec.Struct, frozen=True, kw_only=True):
    """What is done ahead of a sale."""

    lead_s: int = LEAD_S
    scale: Scale | None = None
    checks_at_s: tuple[int, ...] = CHECKS_AT_S
    """Seconds before the start, the earliest check first."""


def prewarm_of(lead_s: int, given: Mapping[str, Any]) -> Prewarm:
    """Return what is done ahead of a sale, from its lead and from what else was given of it."""
    scale, checks = given.get("scale"), given.get("checks_at_s")
    return Prewarm(
        lead_s=lead_s,
        scale=None if scale is None else Scale(**scale),
        checks_at_s=tuple(at for at in CHECKS_AT_S if at <= lead_s) if checks is None else tuple(checks),
    )
