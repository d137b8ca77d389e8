"""Holds the model against this machine: calibrate, predict, measure at 1, 2 and 4 partitions. Owns the comparison.

Three predictions of each: from what the parts take in company, which is the one that is judged, and from what each
takes with a core to itself, neither of which knows anything of the runs that they are held against; beside them, from
what the parts took in the whole way at the first of these runs, which foretells the others.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median

import msgspec

from loadtests.fleet.costs import Company, Costs
from loadtests.fleet.measured import company, recovery
from loadtests.fleet.measured.calibrate import calibrate
from loadtests.fleet.measured.processes import at_rest
from loadtests.fleet.measured.recovery import Recovery
from loadtests.fleet.measured.whole import CLIENTS, WORKERS, Run, Whole, cores, measure, system_of_one_product
from loadtests.fleet.model.layout import Layout, Load
from loadtests.fleet.model.simulation import Outcome, simulate
from loadtests.fleet.tables import Table

JUDGED = (Run(1), Run(2), Run(4))
"""What the bar is for."""
BESIDE = (Run(1, clients=256),)
"""What is measured once, to see what else the model foretells."""
WITHIN = 0.20
"""How far a prediction may be from what is measured."""
SECONDS, TURNS = 5.0, 2


class Compared(msgspec.Struct):
    """One run: its turns, and what was predicted."""

    turns: list[Whole]
    predicted: Outcome
    """From what the parts take in company."""
    alone: Outcome
    """From what each takes with a core to itself."""
    by_first: Outcome
    """From what they took in the first run that is compared."""

    @property
    def partitions(self) -> int:
        """Of the sale."""
        return self.turns[0].partitions

    @property
    def clients(self) -> int:
        """Who order."""
        return self.turns[0].clients

    @property
    def is_judged(self) -> bool:
        """Whether the bar is for it."""
        return self.clients == CLIENTS

    def measured(self, figure: str) -> float:
        """Return the median of a figure of the turns."""
        return median(float(getattr(one, figure)) for one in self.turns)

    def us(self, part: str) -> float:
        """Return the median of the microseconds that a part took an order."""
        return median(one.us[part] for one in self.turns)

    @property
    def all_us(self) -> dict[str, float]:
        """The same of all parts."""
        return {part: self.us(part) for part in self.turns[0].us}

    def ratio_of(self, outcome: Outcome) -> float:
        """Return predicted orders confirmed a second, of the measured."""
        return outcome.confirmed_per_s / self.measured("confirmed_per_s")

    @property
    def ratio(self) -> float:
        """Of the prediction that is judged."""
        return self.ratio_of(self.predicted)

    @property
    def is_within(self) -> bool:
        """Whether the prediction is near enough."""
        return abs(self.ratio - 1) <= WITHIN


class Comparison(msgspec.Struct):
    """All of it."""

    costs: Costs
    compared: list[Compared]
    recovered: Recovery
    foretold: Recovery
    """The same, as the model says."""
    cores: int
    load: float

    @property
    def is_within(self) -> bool:
        """Whether all that are judged are near enough."""
        return all(one.is_within for one in self.compared if one.is_judged)


async def compare(say: Callable[[str], None], *, turns: int = TURNS, seconds: float = SECONDS) -> Comparison:
    """Calibrate on one system, then measure on another, by turns."""
    load = os.getloadavg()[0]
    async with system_of_one_product() as system:
        costs = await calibrate(system, say)
    measured: dict[tuple[int, int], list[Whole]] = {}
    async with system_of_one_product() as system:
        rest = await at_rest(system)
        await measure(system, Run(1, turn=-1), 1.0, rest)  # warm
        for turn in range(turns):
            for run in JUDGED if turn % 2 == 0 else JUDGED[::-1]:
                one = await measure(system, run._replace(turn=turn), seconds, rest)
                measured.setdefault((run.partitions, run.clients), []).append(one)
                say(_said(one))
        for run in BESIDE:
            one = await measure(system, run, seconds, rest)
            measured.setdefault((run.partitions, run.clients), []).append(one)
            say(_said(one))
        recovered = await recovery.measure(system)
        say(f"a backlog of {recovered.still_s:.1f} s worked off within {recovered.calm_s:.1f} s while more came")
    by_itself = msgspec.structs.replace(costs, company=Company())
    first = company.factors(by_itself, [one.done for one in next(iter(measured.values()))])
    all_costs = (costs, by_itself, msgspec.structs.replace(costs, company=first))
    compared = [_compared(all_costs, found, seconds) for found in measured.values()]
    foretold = recovery.predict(costs, layout_of(1), recovered)
    return Comparison(costs, compared, recovered, foretold, cores(), load)


def predict(costs: Costs, run: Run, seconds: float, others_cores: float = 0.0) -> Outcome:
    """Return what the model says of this machine with everything on it."""
    busier = msgspec.structs.replace(costs, rest_cores=costs.rest_cores + others_cores)
    return simulate(busier, layout_of(run.partitions), load_of(seconds, run.clients))


def layout_of(partitions: int) -> Layout:
    """Return this machine with everything on it."""
    return Layout(partitions=partitions, together=cores(), workers=WORKERS)


def load_of(seconds: float, clients: int = CLIENTS) -> Load:
    """Return what the whole way is measured under."""
    return Load(clients=clients, seconds=seconds)


def _said(one: Whole) -> str:
    return f"{one.partitions} partitions, {one.clients} clients: {one.confirmed_per_s:,.0f} orders a second confirmed"


def _compared(all_costs: Iterable[Costs], turns: list[Whole], seconds: float) -> Compared:
    others = median(one.others_cores for one in turns)
    run = Run(turns[0].partitions, turns[0].clients)
    outcomes = (predict(costs, run, seconds, others) for costs in all_costs)
    return Compared(turns, *(msgspec.structs.replace(one, samples=[]) for one in outcomes))


def table(found: Comparison) -> Table:
    """Return the comparison as a table."""
    head = [
        "partitions", "clients", "measured", "predicted", "ratio", "with costs alone", "with costs of the first row",
        "cores busy, measured", "predicted", "99 % final within, measured", "predicted", "others on the machine",
    ]  # fmt: skip
    rows = []
    for one in found.compared:
        missed = ", missed" if one.is_judged and not one.is_within else ""
        rows.append([
            str(one.partitions), str(one.clients), f"{one.measured('confirmed_per_s'):,.0f}/s",
            f"{one.predicted.confirmed_per_s:,.0f}/s", f"{one.ratio:.2f}{missed}", f"{one.ratio_of(one.alone):.2f}",
            f"{one.ratio_of(one.by_first):.2f}",
            f"{one.measured('busy_cores'):.2f}", f"{one.predicted.cores:.2f}",
            f"{one.measured('p99_to_final_ms'):,.0f} ms", f"{one.predicted.p99_to_final_ms:,.0f} ms",
            f"{one.measured('others_cores'):.2f} cores",
        ])  # fmt: skip
    return Table("post to confirmed", head, rows)


def parts_table(found: Comparison) -> Table:
    """Return where the time of an order goes in each run: alone, predicted in company, measured."""
    judged = [one for one in found.compared if one.is_judged]
    head = ["an order, µs: alone, in company, measured", *(_partitions(one.partitions) for one in judged)]

    def row(name: str, cells: list[str]) -> list[str]:
        return [name, *cells]

    rows = [
        row(part, [f"{one.alone.us[part]:.1f}, {one.predicted.us[part]:.1f}, **{one.us(part):.1f}**" for one in judged])
        for part in judged[0].turns[0].us
    ]
    sums = [[sum(us.values()) for us in (one.alone.us, one.predicted.us, one.all_us)] for one in judged]
    rows.append(row("together", ["{:.0f}, {:.0f}, **{:.0f}**".format(*three) for three in sums]))
    for name, figure in (("orders a call", "orders_a_call"), ("orders a batch of a drain", "orders_a_batch")):
        rows.append(row(name, [
            f"{getattr(one.alone, figure):.0f}, {getattr(one.predicted, figure):.0f}, **{one.measured(figure):.0f}**"
            for one in judged
        ]))  # fmt: skip
    return Table("where the time of an order goes", head, rows)


def recovery_table(found: Comparison) -> Table:
    """Return how a backlog was worked off."""
    measured, predicted = found.recovered, found.foretold
    head = ["a backlog", "measured", "predicted"]
    rows = [
        ["orders a second that come meanwhile", f"{measured.rate_per_s:,.0f}", f"{predicted.rate_per_s:,.0f}"],
        ["the workers stand still for", f"{measured.still_s:.1f} s", "as long"],
        ["the longest that an order waited", f"{measured.longest_s:.1f} s", f"{predicted.longest_s:.1f} s"],
        ["none waits for more than a second, after", f"{measured.calm_s:.1f} s", f"{predicted.calm_s:.1f} s"],
    ]
    return Table("a backlog worked off", head, rows)


def _partitions(count: int) -> str:
    return f"{count} partition{'s' if count > 1 else ''}"


def tables(found: Comparison) -> dict[str, Table]:
    """Return all of it, by the names of the places in docs/scaling.md."""
    return {"compared": table(found), "parts": parts_table(found), "recovery": recovery_table(found)}


def told(found: Comparison) -> str:
    """Return it as the document has it."""
    turns = [len(one.turns) for one in found.compared]
    worst = max((one for one in found.compared if one.is_judged), key=lambda one: abs(one.ratio - 1))
    verdict = (
        f"The largest error of the three is {abs(worst.ratio - 1):.0%}, at {_partitions(worst.partitions)}: the bar of "
        f"{WITHIN:.0%} is {'kept' if found.is_within else 'missed'}."
    )
    about = (
        f"Turns of each with {CLIENTS} clients: {turns[0]}, of the others {min(turns)}. "
        f"Load of the {found.cores} cores before: {found.load:.1f}."
    )
    return f"{table(found).markdown()}\n\n{verdict} {about}"


def write(found: Comparison, file: Path) -> None:
    """Write the JSON."""
    ratios = {f"{one.partitions} of {one.clients}": round(one.ratio, 3) for one in found.compared}
    written = {"ratio": ratios, "within": WITHIN, **msgspec.to_builtins(found)}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(written), indent=2))


def read(file: Path) -> Comparison:
    """Return what was written."""
    return msgspec.json.decode(file.read_bytes(), type=Comparison)
