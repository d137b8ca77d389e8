"""What to do otherwise next time: plain rules, each with the figures that it is said for. Pure.

A rule looks at a report and says something, or nothing. It names no cause that the figures do not show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from doorbuster.contract.night.report import Advice, ProductReport, SaleReport

Rule: TypeAlias = Callable[[SaleReport], Iterable[Advice]]

LONG_WAIT_S = 30.0
QUICK_S = 1.0
SLOW_S = 10.0
SOON_S = 60.0
SHARE = 0.05
MANY = 0.2
FEW = 20
"""Below so many a share says nothing."""
PRODUCTS_NAMED = 5


def advice(report: SaleReport) -> list[Advice]:
    """Return what the rules say of a report, in their order."""
    return [one for rule in RULES for one in rule(report)]


def _rate(report: SaleReport) -> Iterable[Advice]:
    """The room against the drain: whoever waited longer than the other needed."""
    wait, decided, rate = report.waits.join_to_admission, report.waits.accepted_to_decided, report.room.rate_per_s
    if wait.p90 is None or decided.p99 is None or rate is None:
        return
    evidence: dict[str, float | int | str | None] = {
        "wait_p90_s": wait.p90, "decided_p99_s": decided.p99, "rate_per_s": rate,
    }  # fmt: skip
    if wait.p90 >= LONG_WAIT_S and decided.p99 <= QUICK_S:
        yield Advice(
            rule="raise_rate",
            text=f"The room held visitors back at {rate:,g} a second, a tenth of them for {wait.p90:,.0f} s or longer, "
            f"while orders were decided within {decided.p99:,.2f} s: raise the rate; a rehearsal says how far.",
            evidence=evidence,
        )
    elif decided.p99 >= SLOW_S:
        yield Advice(
            rule="lower_rate",
            text=f"Orders waited up to {decided.p99:,.0f} s for their decision while the room let in {rate:,g} a "
            "second: lower the rate, or run more workers and partitions.",
            evidence=evidence,
        )


def _drain(report: SaleReport) -> Iterable[Advice]:
    decided = report.waits.accepted_to_decided
    if report.room.mode == "off" and decided.p99 is not None and decided.p99 >= SLOW_S:
        yield Advice(
            rule="use_a_room",
            text=f"Orders waited up to {decided.p99:,.0f} s for their decision and no room held anybody back: put a "
            "room before the sale, or run more workers and partitions.",
            evidence={"decided_p99_s": decided.p99},
        )


def _sold_out_soon(report: SaleReport) -> Iterable[Advice]:
    soon = [one for one in report.products if _was_gone_soon(one)]
    for one in sorted(soon, key=lambda one: one.sold_out_after_s or 0.0)[:PRODUCTS_NAMED]:
        after_s, short = one.sold_out_after_s, one.in_sale.refused + one.in_sale.standing_by
        yield Advice(
            rule="sold_out_soon",
            text=f"{one.name} was sold out {after_s:,.0f} s after the start, and {short:,} units more were wanted: "
            "allot more, limit what one person gets, or open a lobby, so that a draw decides and not the first "
            "second.",
            evidence={"product_id": one.product_id, "after_s": after_s, "units_short": short},
        )


def _was_gone_soon(one: ProductReport) -> bool:
    after_s = one.sold_out_after_s
    return after_s is not None and 0 < after_s < SOON_S and one.in_sale.kept > 0


def _unsold(report: SaleReport) -> Iterable[Advice]:
    left = [one for one in report.products if one.in_sale.allotment and one.in_sale.kept < one.in_sale.allotment / 2]
    for one in [one for one in left if one.sold_out_at is None][:PRODUCTS_NAMED]:
        yield Advice(
            rule="unsold",
            text=f"Of {one.in_sale.allotment:,} units of {one.name} {one.in_sale.kept:,} were sold: allot fewer, or "
            "show it more prominently.",
            evidence={"product_id": one.product_id, "allotment": one.in_sale.allotment, "kept": one.in_sale.kept},
        )


def _no_shows(report: SaleReport) -> Iterable[Advice]:
    gone, came = report.room.no_shows, report.room.admitted
    if gone is not None and came is not None and gone + came >= FEW and gone > 2 * SHARE * (gone + came):
        yield Advice(
            rule="no_shows",
            text=f"{gone:,} of {gone + came:,} visitors were gone when their turn came: a shorter wait keeps more of "
            "them, a shorter grace_s gives their places away sooner.",
            evidence={"no_shows": gone, "admitted": came},
        )


def _unused(report: SaleReport) -> Iterable[Advice]:
    unused, admitted = report.room.unused, report.room.admitted
    if unused is not None and admitted and admitted >= FEW and unused > MANY * admitted:
        yield Advice(
            rule="unused_admissions",
            text=f"{unused:,} of {admitted:,} admissions ran out without an order: a shorter admission_s gives the "
            "slots to others, and where everything was sold out the room should have closed.",
            evidence={"unused": unused, "admitted": admitted},
        )


def _estimates(report: SaleReport) -> Iterable[Advice]:
    told = report.estimates
    if told.told >= FEW and told.within < told.told / 2:
        way = "longer" if told.longer >= told.shorter else "shorter"
        yield Advice(
            rule="estimates",
            text=f"For {told.told - told.within:,} of {told.told:,} visitors the wait was not what the page had said, "
            f"mostly {way}: change the rate less often while people wait.",
            evidence={"told": told.told, "within": told.within, "longer": told.longer, "shorter": told.shorter},
        )


def _payments(report: SaleReport) -> Iterable[Advice]:
    asked = report.totals.accepted - report.totals.cancelled.get("sold_out", 0)
    declined, expired = (report.totals.cancelled.get(why, 0) for why in ("payment_declined", "hold_expired"))
    if asked >= FEW and declined > SHARE * asked:
        yield Advice(
            rule="declined",
            text=f"{declined:,} of {asked:,} payments were declined: ask the provider why; a standby list sells what "
            "comes back.",
            evidence={"declined": declined, "orders": asked},
        )
    if asked >= FEW and expired > SHARE * asked:
        yield Advice(
            rule="holds_expired",
            text=f"{expired:,} of {asked:,} holds ended without a payment: a shorter hold_s gives the units to others "
            "sooner.",
            evidence={"hold_expired": expired, "orders": asked},
        )


def _limits(report: SaleReport) -> Iterable[Advice]:
    over = sum(report.limits.at_turn.values())
    if report.totals.accepted >= FEW and over > SHARE * report.totals.accepted:
        yield Advice(
            rule="limits",
            text=f"{over:,} accepted orders were over a limit at their turn: show the limits beside the quantity, so "
            "that shoppers know before they wait.",
            evidence={"limit_exceeded": over, "accepted": report.totals.accepted},
        )


def _overload(report: SaleReport) -> Iterable[Advice]:
    refused, offered = report.totals.refused, report.totals.offered
    busy = (refused or {}).get("overloaded", 0)
    if offered and offered >= FEW and busy > 0.01 * offered:
        yield Advice(
            rule="overloaded",
            text=f"{busy:,} of {offered:,} posts found the intake too busy: run more intakes, or let the room let in "
            "fewer.",
            evidence={"overloaded": busy, "offered": offered},
        )


def _standby(report: SaleReport) -> Iterable[Advice]:
    stood, served = report.standby.stood_by, report.standby.served
    if stood >= FEW and served < SHARE * stood:
        yield Advice(
            rule="standby",
            text=f"Of {stood:,} orders that stood by {served:,} were served: a lower standby_max tells the others at "
            "once.",
            evidence={"stood_by": stood, "served": served},
        )


def _left_over(report: SaleReport) -> Iterable[Advice]:
    for kind, what in (("dead_letters", "orders put aside"), ("payments_failed", "payments that failed for good")):
        found = [one for one in report.incidents if one.kind == kind]
        if found:
            yield Advice(
                rule=kind,
                text=f"There are {what}: see the incidents, and work them off before the next sale.",
                evidence={"incidents": len(found)},
            )


def _broken(report: SaleReport) -> Iterable[Advice]:
    for one in report.promises:
        if one.verdict == "broken":
            yield Advice(
                rule="promise_broken",
                text=f"{one.promise} ({one.title}) is broken: find out why before the next sale, see the runbook.",
                evidence={"promise": one.promise, "breaches": one.breaches},
            )


RULES: tuple[Rule, ...] = (
    _broken, _left_over, _rate, _drain, _sold_out_soon, _unsold, _no_shows, _unused, _estimates, _payments, _limits,
    _overload, _standby,
)  # fmt: skip
