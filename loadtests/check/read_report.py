"""Prints what a run of reads was. Owns the layout; computes nothing but shares and percentiles."""

from __future__ import annotations

from array import array
from collections import Counter
from typing import TYPE_CHECKING

from loadtests.check import report
from loadtests.generate.looks import KINDS, Looks
from loadtests.generate.shapes import Shape
from loadtests.traffic.samples import Samples

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from loadtests.check.read_outcome import Outcome


def show(screen: Console, shape: Shape, outcome: Outcome) -> None:
    """Print all of it."""
    due = shape.arrivals()
    second = outcome.emptied.second
    rises, falls = shape.corners[2][0], shape.corners[3][0]
    screen.print(report.offered_and_achieved(achieved(due, outcome.browsed.latencies)))
    latencies = _by_kind("whole run", due, outcome, 0.0, shape.seconds)
    latencies |= _by_kind("at the peak", due, outcome, rises, falls)
    latencies |= _by_kind("1 s from the emptying", due, outcome, second, second + 1)
    latencies["order accepted"] = Samples.from_bytes(outcome.result.accepted)
    screen.print(report.latencies(latencies))
    screen.print(_answers(due, outcome))
    screen.print(_processor(outcome))
    screen.print(report.orders(outcome.result, outcome.states, outcome.missing))
    screen.print(report.invariants(outcome.audit))
    _conclude(screen, due, shape, outcome)


def achieved(due: array[float], took: array[float]) -> list[tuple[int, int, int]]:
    """Return (second, reads that were due in it, reads answered in it) for the whole run."""
    offered = Counter(int(one) for one in due)
    answered = Counter(int(one + waited) for one, waited in zip(due, took, strict=True) if waited)
    return [(second, offered[second], answered[second]) for second in range(max(offered | answered) + 1)]


def window(looks: Looks, due: array[float], kind: int, since: float, until: float) -> list[int]:
    """Return which looks of a kind were due in a time."""
    return [n for n, at in enumerate(due) if since <= at < until and looks.kind_of(n) == kind]


def _by_kind(when: str, due: array[float], outcome: Outcome, since: float, until: float) -> dict[str, Samples]:
    took, named = outcome.browsed.latencies, {}
    for kind, name in enumerate(KINDS):
        looks = window(outcome.looks, due, kind, since, until)
        named[f"{name}, {when}"] = Samples(took[n] for n in looks if outcome.browsed.answers[n])
    return named


def _answers(due: array[float], outcome: Outcome) -> Table:
    table = report.new_table("where reads were answered", "", "count")
    statuses = Counter(
        (KINDS[outcome.looks.kind_of(n)], outcome.browsed.answers[n]) for n in range(len(due))
    )  # fmt: skip
    for (kind, status), count in sorted(statuses.items()):
        table.add_row(f"{kind}: {status or 'no answer'}", f"{count:,}")
    for why, count in sorted(outcome.browsed.refused.items()):
        table.add_row(f"  {why}", f"{count:,}")
    for (what, where), count in sorted(outcome.by_place.items()):
        table.add_row(f"{what}, {where}", f"{count:,}")
    for server, count in sorted(outcome.by_server.items()):
        table.add_row(f"reads of the database: {server}", f"{count:,}")
    for why, count in sorted(outcome.setbacks.items()):
        table.add_row(why, f"{count:,}")
    refills = outcome.refills
    table.add_row("after the emptying: reads of the database", f"{sum(refills.values()):,}")
    table.add_row("  of so many parts and processes", f"{len(refills):,}")
    table.add_row("  most reads of one part by one process", f"{outcome.most_refills:,}")
    return table


def _processor(outcome: Outcome) -> Table:
    table = report.new_table("processor", "role", "seconds")
    for role, seconds in outcome.processor_s.items():
        table.add_row(role, f"{seconds:,.1f}")
    return table


def _conclude(screen: Console, due: array[float], shape: Shape, outcome: Outcome) -> None:
    reads = sum(outcome.by_server.values())
    share = outcome.by_server.get("primary", 0) / reads if reads else 0.0
    screen.print(
        f"{len(due):,} reads in {shape.seconds:.0f} s (peak {shape.peak:,.0f}/s), sent at most "
        f"{outcome.browsed.late_s * 1000:,.0f} ms late, {outcome.failed:,} not answered 200; "
        f"the primary's share of {reads:,} reads of the database: {share:.2%}; "
        f"the cache was emptied at second {outcome.emptied.second:.1f}"
    )
    for fault in outcome.faults:
        screen.print(f"[bold red]{fault}")
    screen.print("[bold red]NOT AS IT MUST BE" if outcome.faults else "[bold green]everything as it must be")
