"""The plan that a body gives a sale: its timeline, and what is done ahead of it. Owns what is refused of it; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET

from doorbuster.contract.night.schedule import PrewarmRequest, PrewarmView, ScaleView, TimelineEntryView
from doorbuster.errors import InvalidError
from doorbuster.values.prewarm import LEAD_S
from doorbuster.values.timeline import PlanEntry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from msgspec import UnsetType

    from db.sales import Sale
    from doorbuster.contract.night.schedule import TimelineEntry
    from doorbuster.values.prewarm import Prewarm

Fields = list[tuple[str, str]]


def entries_of(given: Sequence[TimelineEntry], raw: Sequence[Mapping[str, Any]]) -> tuple[PlanEntry, ...]:
    """Return a timeline as it is kept; `raw` is the body's, which alone says where a field of the room is null."""
    return tuple(
        PlanEntry(
            at=one.at,
            phase=None if one.phase is UNSET else one.phase,
            room={} if one.room is UNSET else dict.fromkeys(bare["room"]) | msgspec.to_builtins(one.room),
        )
        for one, bare in zip(given, raw, strict=True)
    )


def timeline_view(timeline: Sequence[PlanEntry]) -> list[TimelineEntryView]:
    """Return a timeline as the contract shows it."""
    return [
        TimelineEntryView(at=one.at, room=one.room or UNSET, phase=UNSET if one.phase is None else one.phase)
        for one in timeline
    ]


def prewarm_view(prewarm: Prewarm) -> PrewarmView:
    """Return what is done ahead of a sale as the contract shows it."""
    scale = None if prewarm.scale is None else ScaleView(intake=prewarm.scale.intake, workers=prewarm.scale.workers)
    return PrewarmView(lead_s=prewarm.lead_s, scale=scale, checks_at_s=list(prewarm.checks_at_s))


def prewarm_terms(
    request: PrewarmRequest | None, lead_s: int | UnsetType, before: Sale | None = None
) -> tuple[int, dict[str, Any]]:
    """Return the lead and what is given beside it, from a body and from how it was; `lead_s` is its other name.

    What is None has its default.

    Raises:
        InvalidError: the two names say different things, or checks are beyond the lead or out of order.
    """
    request = PrewarmRequest() if request is None else request
    own = LEAD_S if request.lead_s is None else request.lead_s
    if own is not UNSET and lead_s is not UNSET and own != lead_s:
        problem = f"is another name of prewarm.lead_s, which says {own}"
        raise InvalidError("the lead is given twice", [("prewarm_lead_s", problem)])
    kept = LEAD_S if before is None else before.prewarm_lead_s
    lead = next((one for one in (own, lead_s) if one is not UNSET), kept)
    named: dict[str, Any] = msgspec.to_builtins(request)
    named.pop("lead_s", None)
    given = ({} if before is None else before.prewarm_given) | named
    given = {name: value for name, value in given.items() if value is not None}
    if problems := _wrong_checks(lead, given.get("checks_at_s") or []):
        raise InvalidError("the checks ahead of the sale are not right", problems)
    return lead, given


def _wrong_checks(lead_s: int, checks: Sequence[int]) -> Fields:
    problems = []
    for place, at in enumerate(checks):
        if at > lead_s:
            problems.append((f"prewarm.checks_at_s[{place}]", f"is {at}, which is before the lead of {lead_s} s"))
        elif place and at == checks[place - 1]:
            problems.append((f"prewarm.checks_at_s[{place}]", f"is {at} once more"))
        elif place and at > checks[place - 1]:
            problems.append((f"prewarm.checks_at_s[{place}]", "must be below the one before: the earliest check first"))
    return problems
