"""Each rule says its thing where the figures show it, and nothing where they do not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from db.report.advice import RULES, advice
from doorbuster.contract.night.report import Incident, SaleReport, Spread
from tests.fixtures.reports import START, product, reported

LONG = Spread(count=100, p50=60, p90=120, p99=130, max=140)


def of(part: str, **changes: Any) -> SaleReport:
    report = reported()
    return replace(report, **{part: replace(getattr(report, part), **changes)})


def cancelled(**reasons: int) -> SaleReport:
    return of("totals", cancelled=reasons)


CASES: dict[str, Callable[[], SaleReport]] = {
    "raise_rate": lambda: of("waits", join_to_admission=LONG),
    "lower_rate": lambda: of("waits", join_to_admission=LONG, accepted_to_decided=LONG),
    "use_a_room": lambda: replace(
        of("waits", accepted_to_decided=LONG), room=replace(reported().room, mode="off", rate_per_s=None)
    ),
    "sold_out_soon": lambda: reported(
        products=[replace(product(refused=40), sold_out_at=START, sold_out_after_s=3.0)]
    ),
    "unsold": lambda: reported(products=[product(allotment=1_000)]),
    "no_shows": lambda: of("room", no_shows=40),
    "unused_admissions": lambda: of("room", unused=60),
    "estimates": lambda: of("estimates", within=20, longer=70, shorter=10),
    "declined": lambda: cancelled(payment_declined=10),
    "holds_expired": lambda: cancelled(hold_expired=10),
    "limits": lambda: of("limits", at_turn={"customer": 8}),
    "overloaded": lambda: of("totals", refused={"overloaded": 20}),
    "standby": lambda: of("standby", stood_by=100, served=1),
    "dead_letters": lambda: reported(incidents=[Incident(kind="dead_letters", at=START, until=None, what="3")]),
    "payments_failed": lambda: reported(incidents=[Incident(kind="payments_failed", at=START, until=None, what="1")]),
    "promise_broken": lambda: reported(
        promises=[replace(one, verdict="broken", breaches=1) for one in reported().promises[:1]]
    ),
}  # fmt: skip


@pytest.mark.parametrize("rule", CASES)
def test_a_rule_speaks_where_the_figures_show_it(rule: str) -> None:
    (said,) = [one for one in advice(CASES[rule]()) if one.rule == rule]
    assert said.text.endswith(".")
    assert said.evidence, "what it is said for"


def test_nothing_is_said_of_a_sale_that_went_well() -> None:
    assert advice(reported()) == []


def test_nothing_is_said_of_what_nobody_knows() -> None:
    report = reported()
    nothing = Spread(count=0)
    unknown = replace(
        report,
        totals=replace(report.totals, offered=None, refused=None, joined=None, admitted=None),
        waits=replace(report.waits, join_to_admission=nothing, accepted_to_decided=nothing),
        room=replace(report.room, no_shows=None, admitted=None, unused=None),
        products=[],
    )
    assert advice(unknown) == []


def test_every_rule_has_its_case() -> None:
    source = {name for rule in RULES for name in CASES if any(one.rule == name for one in rule(CASES[name]()))}
    assert source == set(CASES)


def test_a_share_of_few_says_nothing() -> None:
    few = reported()
    small = replace(few, totals=replace(few.totals, accepted=10, cancelled={"payment_declined": 5}))
    assert advice(small) == []


def test_a_product_that_was_sold_out_is_not_called_unsold() -> None:
    gone = replace(product(allotment=1_000), sold_out_at=START, sold_out_after_s=900.0)
    assert advice(reported(products=[gone])) == []
