"""A rehearsal from its beginning to its end: shadow, knee, crowd, result, removal. Owns the sequence and the exit code.

Whatever happens on the way, the shadow is ended; if this process is killed, the shadow's lease ends by itself.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from time import perf_counter
from typing import Any

import msgspec

from doorbuster.contract.night.rehearsal import (
    RehearsalCriteria,
    RehearsalResult,
    RehearsalStep,
    RehearsalView,
    RehearsedShape,
)
from doorbuster.errors import DoorbusterError, InvalidError
from loadtests.rehearse import criteria, search
from loadtests.rehearse.crowds import ShapeError, crowd
from loadtests.rehearse.live_promise import RISE, WINDOW_S, GaveWayError
from loadtests.rehearse.load import BESIDE_CONNECTIONS, Aim, Load
from loadtests.rehearse.shadow import Shadow, StoppedError, client_of
from loadtests.scene.loopback import NotLoopbackError, target_of
from loadtests.traffic.crew import GeneratorError
from loadtests.traffic.plan import MAX_REQUESTS

CALM_S = 120.0
"""How long the workers may take to catch up after a step."""
UNITS = 100_000_000
"""Of each product: nothing is sold out while it is rehearsed."""
START_PER_S = 50.0
BESIDE_NICE = 15
BESIDE_START = 1 / 32
"""Of the rate that is set: what is tried first beside a sale, to be doubled as long as the sale does not notice."""
RAN, NOT_PROVEN = 0, 1


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What a rehearsal is told."""

    base: str
    ops_base: str
    ops_key: str
    sale: str
    operator: str = ""
    shape: str = "spike"
    scale: float = 1.0
    """The crowd's peak as a multiple of the rate that is set; without a room, of the knee."""
    seconds: float = 30.0
    """Length of the crowd."""
    step_s: float = 6.0
    most_per_s: float = 20_000.0
    p99_ms: float = criteria.P99_MS
    beside_live: bool = False


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of a rehearsal; as JSON it is this."""

    sale: str
    rehearsal_id: int
    result: RehearsalResult
    shadow: str
    """`removed`, or `removing`: then the workers are still at it."""

    @property
    def code(self) -> int:
        """The exit code."""
        knee, is_set = self.result.knee_per_s, self.result.set_rate_per_s
        good = self.result.stopped is None and knee is not None and (is_set is None or is_set <= knee)
        return RAN if good else NOT_PROVEN


Say = Callable[[str], None]


def check(terms: Terms) -> None:
    """Refuse what cannot be rehearsed before anything is made.

    Raises:
        InvalidError: the target is not this machine and not proven, or the shape is none.
    """
    try:
        target_of(terms.base)
        target_of(terms.ops_base)
        crowd(terms.shape, peak=1.0, seconds=terms.seconds)
        if terms.most_per_s * max(terms.step_s, terms.seconds) > MAX_REQUESTS:
            raise ShapeError(f"more than {MAX_REQUESTS:,} orders at a time: name a smaller --max-rate, or less time")
    except (NotLoopbackError, ShapeError) as error:
        raise InvalidError(str(error)) from error


def main(terms: Terms, say: Say) -> Outcome:
    """Rehearse; SIGTERM and Ctrl-C end it cleanly.

    Raises:
        DoorbusterError: it could not begin, or not be ended.
    """
    return asyncio.run(rehearse(terms, say))


async def rehearse(terms: Terms, say: Say) -> Outcome:
    """Rehearse, on the running loop.

    Raises:
        DoorbusterError: it could not begin, or not be ended.
    """
    check(terms)
    shadow = Shadow(client_of(terms.ops_base, terms.ops_key, terms.operator), terms.sale)
    steps: list[RehearsalStep] = []
    bounds = criteria.criteria(p99_ms=terms.p99_ms)
    try:
        view = await shadow.begin(units=UNITS, beside_live=terms.beside_live)
        say(
            f"rehearsal {view.rehearsal_id} of {terms.sale}, shadow {view.shadow_id}; "
            f"rate that is set: {_rate(view.set_rate_per_s)}"
        )
        result = await _until_stopped(partial(_found, terms, shadow, view, bounds, steps, say), view, bounds, steps)
        try:
            await shadow.leave(result)
        except DoorbusterError as error:
            result = msgspec.structs.replace(
                result, stopped=result.stopped or f"the result was not kept: {error.detail}"
            )
    finally:
        if shadow.view is not None:
            say("removing the shadow ...")
        left = await shadow.end()
    return Outcome(sale=terms.sale, rehearsal_id=view.rehearsal_id, result=result, shadow=left)


async def _until_stopped(
    work: Callable[[], Coroutine[Any, Any, RehearsalResult]],
    view: RehearsalView,
    bounds: RehearsalCriteria,
    steps: list[RehearsalStep],
) -> RehearsalResult:
    """Return what was found, or what had been found when it was stopped, or a sale that is on left no room for more."""
    task = asyncio.ensure_future(work())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    limit, why = None, None
    try:
        return await task
    except GaveWayError as error:
        limit = str(error)
    except (StoppedError, GeneratorError, TimeoutError) as error:
        why = str(error) or type(error).__name__
    except asyncio.CancelledError:
        why = "interrupted"
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
    held = [step.offered_per_s for step in steps if step.held]
    broke = [step.offered_per_s for step in steps if not step.held]
    knee = search.Knee(max(held, default=None), min(broke, default=None))
    if limit is not None and not held:
        why = f"nothing can be offered: {limit}"
    found = _result(view, bounds, steps, knee, stopped=None if why is None else why[-500:])
    if limit is None:
        return found
    return msgspec.structs.replace(found, proposed_rate_per_s=None, limited_by="live sale", limit_reason=limit[-500:])


async def _found(
    terms: Terms, shadow: Shadow, view: RehearsalView, bounds: RehearsalCriteria, steps: list[RehearsalStep], say: Say
) -> RehearsalResult:
    now = view.shadow
    assert now is not None
    if view.beside:
        os.nice(BESIDE_NICE)  # where the sale is on the same machine, its processes come first
        for line in _beside(view, shadow):
            say(line)
    aim = Aim(base=terms.base, sale=now.sale_id, products=now.products, has_room=now.has_room, beside=bool(view.beside))
    load = Load(aim, shadow)
    step_s = max(terms.step_s, WINDOW_S) if view.beside else terms.step_s

    async def probe(rate: float) -> bool:
        await shadow.calm(CALM_S)
        try:
            measured = await load.hold(rate, step_s)
            if view.beside:
                await shadow.seen_anew()
        except GaveWayError as error:
            say(f"{rate:10,.0f}/s  given up: {error}")
            raise
        if codes := criteria.strange(measured):
            raise StoppedError(f"orders of the shadow were refused: {', '.join(codes)}")
        step = criteria.step_of(rate, measured, bounds)
        steps.append(step)
        verdict = "held" if step.held else step.why
        say(f"{rate:10,.0f}/s  accepted {step.accepted_per_s:,.0f}/s  p99 {step.p99_ms:,.0f} ms  "
            f"lag {step.backlog_s:.1f} s  {verdict}")  # fmt: skip
        return step.held

    most, start = terms.most_per_s, (view.set_rate_per_s or 2 * START_PER_S) / 2
    if view.beside:
        most = min(most, view.set_rate_per_s or START_PER_S)
        start = max(most * BESIDE_START, 1.0)
    knee = await search.find(probe, start=min(start, most), most=most)
    played = None
    if knee.held is not None and not view.beside:
        played = await _crowd(terms, shadow, load, (view.set_rate_per_s or knee.held) * terms.scale, say)
    return _result(view, bounds, steps, knee, played=played)


def _beside(view: RehearsalView, shadow: Shadow) -> list[str]:
    """Say what is different beside a sale, and by what it is seen that this does not suffer."""
    before = shadow.promise.before_ms
    takes = "too few orders come to say how long they take" if before is None else f"they take {before:.1f} ms"
    return [
        f"beside {', '.join(view.beside)}: {BESIDE_CONNECTIONS} requests at a time, up to the rate that is set",
        f"its orders come first: it is given up as soon as their p99 is {RISE - 1:.0%} more; now {takes}",
    ]


async def _crowd(terms: Terms, shadow: Shadow, load: Load, peak: float, say: Say) -> RehearsedShape:
    """Play the crowd, and wait until it is drained."""
    await shadow.calm(CALM_S)
    shape = crowd(terms.shape, peak=min(peak, terms.most_per_s), seconds=terms.seconds)
    say(f"{terms.shape}: up to {shape.peak:,.0f}/s within {shape.seconds:.0f} s")
    result, measured = await load.play(shape)
    ended = perf_counter()
    await shadow.calm(CALM_S)
    drained_after_s = perf_counter() - ended
    say(f"  accepted {measured.accepted:,} of {measured.offered:,}, p99 {measured.p99_ms:,.0f} ms, "
        f"drained {drained_after_s:.1f} s after the last answer")  # fmt: skip
    return RehearsedShape(
        name=terms.shape[-500:],
        peak_per_s=round(shape.peak, 1),
        offered=result.offered,
        accepted=measured.accepted,
        refused=measured.refused,
        p99_ms=round(min(measured.p99_ms, 3_600_000.0), 2),
        drained_after_s=round(drained_after_s, 1),
    )


def _result(
    view: RehearsalView,
    bounds: RehearsalCriteria,
    steps: list[RehearsalStep],
    knee: search.Knee,
    *,
    played: RehearsedShape | None = None,
    stopped: str | None = None,
) -> RehearsalResult:
    return RehearsalResult(
        knee_per_s=knee.held,
        broke_at_per_s=knee.broke,
        proposed_rate_per_s=knee.proposed,
        margin=search.MARGIN,
        set_rate_per_s=view.set_rate_per_s,
        criteria=bounds,
        steps=steps[-200:],
        shape=played,
        stopped=stopped,
    )


def _rate(rate: float | None) -> str:
    return "none, the sale has no room" if rate is None else f"{rate:g}/s"


def conclusion(outcome: Outcome) -> list[str]:
    """Return what the result comes to, in words."""
    found = outcome.result
    lines = []
    if found.stopped is not None:
        lines.append(f"stopped: {found.stopped}")
    elif found.limited_by is not None:
        lines.append(f"limited by the {found.limited_by}: {found.limit_reason}; this is no knee")
    if found.knee_per_s is None:
        lines.append("no rate was held")
    else:
        up_to = "" if found.broke_at_per_s is None else f", {found.broke_at_per_s:,.0f}/s was not"
        lines.append(f"held: {found.knee_per_s:,.0f}/s{up_to}")
        why = "what was held, no higher rate was tried" if found.broke_at_per_s is None else f"{found.margin:.0%} below"
        if found.limited_by is None:
            lines.append(f"proposed rate of the room: {found.proposed_rate_per_s:,.0f}/s ({why})")
    if found.set_rate_per_s is not None and found.knee_per_s is not None:
        is_proven = found.set_rate_per_s <= found.knee_per_s
        lines.append(f"the rate that is set, {found.set_rate_per_s:g}/s, is {'proven' if is_proven else 'NOT PROVEN'}")
    lines.append(
        "no trace of it is left" if outcome.shadow == "removed" else "the workers are still removing the shadow"
    )
    return lines


def eprint(line: str) -> None:
    """Say how it goes, beside the result."""
    print(line, file=sys.stderr, flush=True)
