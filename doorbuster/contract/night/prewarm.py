"""Pre-warm in the HTTP contract: what was found when a sale was looked at ahead of its start. Owns shapes alone."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from doorbuster.contract.fields import Moment


class PrewarmReport(Struct):
    """Go or no-go as it was found once; each check has `ok`, its figures, and `reason` when it fails."""

    at: Moment
    go: bool
    checks: dict[str, dict[str, Any]]


class PrewarmReports(Struct):
    """Answer of `GET /ops/sales/{sale}/prewarm`: newest first."""

    reports: list[PrewarmReport]
