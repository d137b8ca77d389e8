"""The promises as a report tells them: what the audit found, and of those it cannot check what is known. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from doorbuster.contract.night.report import PromiseReport

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from doorbuster.contract.night.promises import PromiseFigure, PromisesView

SHED = frozenset({"overloaded", "rate_limited", "store_unavailable"})
"""Codes by which load is refused with `Retry-After`."""


class _Promise(NamedTuple):
    title: str
    how: str


PROMISES: Mapping[str, _Promise] = {
    "P1": _Promise(
        "Accepted means durable",
        "entries of the order store against the cursors, and those against orders and dead letters",
    ),
    "P2": _Promise("Never oversold", "each product's ledger against its movements and against all order lines"),
    "P3": _Promise("Once", "orders against their first events"),
    "P4": _Promise("First accepted, first served", "order of acceptance against the order of decision and of standby"),
    "P5": _Promise("Only legal transitions", "every step of every order against the state machine"),
    "P6": _Promise("Every event is delivered at least once", "events against the relay's cursor, stream and webhooks"),
    "P7": _Promise("No one gets in unadmitted", "orders of the last hour against admissions spent, by partition"),
    "P8": _Promise("Reads never go stale for good", "not checked here: no store remembers what a read showed"),
    "P9": _Promise("Overload is refused, not suffered", "not checked here: what was refused is counted"),
    "P10": _Promise("One command starts it", "not checked here: it is no figure of a sale"),
    "P11": _Promise("The price is the one that was shown", "each order's total against its lines' accepted prices"),
    "P12": _Promise("No money without goods, no goods without money", "each order's money against what its lines cost"),
}
"""What each promises in a few words, and how the audit checks it."""
_UNCHECKED = {
    "P7": "no sale had all its orders admitted for the last two hours",
    "P8": "nothing is known afterwards",
    "P10": "nothing is known afterwards",
}


def promises(view: PromisesView | None, why: str, refused: Mapping[str, int] | None) -> list[PromiseReport]:
    """Return every promise; `why` says why there was no audit, if there was none."""
    told = []
    for name, promise in PROMISES.items():
        figures = [] if view is None else [one for one in view.figures if one.promise == name]
        if figures:
            told.append(_checked(name, promise, figures))
        elif name == "P9":
            told.append(_refused(promise, refused))
        else:
            reason = why if view is None and name not in ("P8", "P10") else _UNCHECKED.get(name, why)
            told.append(_unchecked(name, promise, reason))
    return told


def _checked(name: str, promise: _Promise, figures: Sequence[PromiseFigure]) -> PromiseReport:
    breaches = sum(one.breaches for one in figures)
    # The first says how much was looked at; where one is broken that one is shown.
    shown = next((one for one in figures if one.breaches), figures[0])
    return PromiseReport(
        promise=name,
        title=promise.title,
        verdict="broken" if breaches else "holds",
        value=shown.value,
        what=shown.what,
        breaches=breaches,
        how=promise.how,
    )


def _unchecked(name: str, promise: _Promise, what: str) -> PromiseReport:
    return PromiseReport(
        promise=name, title=promise.title, verdict="not_checked", value=None, what=what, breaches=0, how=promise.how
    )


def _refused(promise: _Promise, refused: Mapping[str, int] | None) -> PromiseReport:
    count = None if refused is None else sum(times for code, times in refused.items() if code in SHED)
    what = "posts of orders refused under load, each with Retry-After"
    return PromiseReport(
        promise="P9", title=promise.title, verdict="not_checked", value=count, what=what, breaches=0, how=promise.how
    )
