"""The report of the simulations, as Markdown. Owns what is told and which figure must be what; see docs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from waitingroom.simulator.crowd import NEVER
from waitingroom.simulator.figures import busiest, kendall_tau, overdraft, percentile
from waitingroom.simulator.run import Trace
from waitingroom.simulator.scenario import START_MS

_HEAD = """# The waiting room, simulated

Written by `make room-report` (`python -m waitingroom.simulator`); do not edit. The real scripts ran on a real Valkey;
only the clock was virtual, and the visitors were drawn from a seed, so that a run repeats exactly.

A visitor that was released claims within 1.2 s, or never (a no-show). The cap on admissions in any window of w seconds
is burst + rate x w: every room here has a burst of a second's rate, so that none is owed what stalls spill, as one with
less [is](waiting-room.md#when-the-machine-is-busy). More places may be released than that, since no-shows are made up
for; admissions never exceed it.
*Overdraft* replays every admission through the plainest token bucket there is: 0 means never over the cap, in any
window. *Used* is admissions made, of those the rate allowed while people waited; what is missing is the grace of the
no-shows still to be made up for at the end, and outages. A claim that finds the bucket of admissions empty, as many do
after an outage, is told when to come again; *claims per admission* counts those as well. An estimate's error is that of
position / measured pace, asked for anew every 10 s by 50 drawn visitors, against when the frontier really came. What is
by the *wall clock* depends on the machine, and on what else it did.
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A figure and, where one was promised, whether it holds."""

    name: str
    value: str
    holds: bool | None = None


def rows_of(trace: Trace) -> list[Row]:
    """Return the figures of a simulation."""
    return [*_caps(trace), *_flow(trace), *_fairness(trace), *_cost(trace)]


def report(traces: Iterable[Trace]) -> str:
    """Return the whole report."""
    return "\n".join([_HEAD, *(_section(trace) for trace in traces)])


def breaches(traces: Iterable[Trace]) -> list[str]:
    """Return what was promised and does not hold."""
    return [f"{trace.scenario.name}: {row.name}" for trace in traces for row in rows_of(trace) if row.holds is False]


def _section(trace: Trace) -> str:
    scenario = trace.scenario
    crowd = f"{scenario.registered:,} in the lobby and {scenario.latecomers:,} after the start"
    room = f"rate {scenario.rate_per_s:g}/s, burst {scenario.burst}, slots {scenario.max_active or 'not capped'}"
    habits = f"{scenario.no_show:.0%} no-shows, {scenario.leaving:.0%} leave"
    if scenario.bots:
        habits += f", {scenario.bots} bots join {scenario.bot_joins} times each"
    lines = [
        f"## {scenario.name}: {scenario.about}",
        "",
        f"{crowd}; {room}; {habits}.",
        "",
        "| figure | value | holds |",
    ]
    lines.append("|---|---|---|")
    for row in rows_of(trace):
        lines.append(f"| {row.name} | {row.value} | {'' if row.holds is None else 'yes' if row.holds else '**NO**'} |")
    return "\n".join([*lines, ""])


def _caps(trace: Trace) -> list[Row]:
    scenario = trace.scenario
    rows = []
    for seconds in (1, 60):
        cap = scenario.burst + scenario.rate_per_s * seconds
        most = busiest(trace.admitted, seconds * 1000)
        rows.append(Row(f"most admitted in any {seconds} s, of {cap:,.0f}", f"{most:,}", most <= cap))
        moments = [at_ms for at_ms, places in trace.released for _ in range(places)]
        rows.append(Row(f"most places released in any {seconds} s", f"{busiest(moments, seconds * 1000):,}"))
    over = overdraft(trace.admitted, scenario.rate_per_s, scenario.burst)
    rows.append(Row("overdraft", f"{over:g}", over == 0))
    if scenario.max_active:
        most = trace.active_max
        rows.append(Row(f"most slots taken, of {scenario.max_active}", f"{most:,}", most <= scenario.max_active))
    return rows


def _flow(trace: Trace) -> list[Row]:
    crowd = trace.crowd
    waits = [
        (admitted - max(joined, START_MS)) / 1000
        for joined, admitted in zip(crowd.joined_ms, crowd.admitted_ms, strict=True)
        if admitted != NEVER
    ]
    errors = [
        abs(wait - (crowd.released_ms[who] - at_ms) / 1000) / max((crowd.released_ms[who] - at_ms) / 1000, 1.0)
        for who, at_ms, wait in trace.estimates
        if crowd.released_ms[who] != NEVER
    ]
    rows = [Row("joined, admitted, lapsed, left", _counted(trace))]
    if trace.scenario.max_active:
        slots = max(trace.scenario.max_active * trace.waiting_ms / 1000, 1)
        idle, kept = trace.idle_slot_s, trace.kept_slot_s
        name = "idle slot-seconds while people waited and the bucket had a token"
        rows.append(Row(name, f"{idle:,.0f} ({idle / slots:.2%})", idle == 0))
        rows.append(
            Row("slot-seconds kept for those released who had not claimed yet", f"{kept:,.0f} ({kept / slots:.2%})")
        )
    else:
        used = min(len(trace.admitted) / max(trace.rate_s, 1), 1.0)
        rows.append(Row("used of the rate while people waited", f"{used:.1%}"))
    shown = ", ".join(f"p{share:.0%} {percentile(waits, share):,.0f} s".replace("%", "") for share in (0.5, 0.9, 0.99))
    rows.append(Row("time to admit, from the start or the joining", shown))
    error = f"median {percentile(errors, 0.5):.0%}, p90 {percentile(errors, 0.9):.0%} of {len(errors):,}"
    return [*rows, Row("error of the estimate", error)]


def _counted(trace: Trace) -> str:
    if trace.last is None:
        return ""
    counts = trace.last.counts
    return f"{counts.joined:,}, {counts.admitted:,}, {counts.lapsed:,}, {counts.left:,}"


def _fairness(trace: Trace) -> list[Row]:
    crowd = trace.crowd
    lobby = sorted(range(trace.scenario.registered), key=lambda who: crowd.joined_ms[who])
    first_places = [place for who in lobby if (place := crowd.place[who]) <= trace.scenario.registered]
    released, claimed = kendall_tau(trace.released_order), kendall_tau([crowd.place[who] for who in trace.claimants])
    shuffled = kendall_tau(first_places)
    bound = 5 / max(len(first_places), 1) ** 0.5
    return [
        Row("Kendall's tau: release against place", f"{released:.4f}", released == 1.0),
        Row("Kendall's tau: claims against place (people react at their own pace)", f"{claimed:.4f}"),
        Row("Kendall's tau: place against registration in the lobby", f"{shuffled:+.4f}", abs(shuffled) < bound),
        Row("duplicate places", f"{trace.duplicates}", trace.duplicates == 0),
        Row("joins that gave nothing new (bots)", f"{trace.rejoins:,}"),
    ]


def _cost(trace: Trace) -> list[Row]:
    visitors = trace.scenario.registered + trace.scenario.latecomers
    return [
        Row(f"bytes of Redis per waiting visitor, at {trace.scenario.registered:,}", f"{trace.bytes_per_waiting:.1f}"),
        Row("calls of scripts from the start on, per visitor", f"{trace.calls / visitors:.2f}"),
        Row("of these by visitors who only wait: neither join, claim, leave nor order", f"{trace.idle_calls}"),
        Row("claims per admission", f"{trace.claims / max(len(trace.admitted), 1):.3f}"),
        Row("lobby opened in (wall clock)", f"{trace.opening_s * 1000:.1f} ms"),
        Row("joins in one pipeline (wall clock)", f"{trace.joins / max(trace.join_s, 1e-9):,.0f}/s"),
    ]
