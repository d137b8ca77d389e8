"""Holds the model against this machine: calibrate, predict, measure at 1, 2 and 4 partitions. Owns the comparison."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from statistics import median

import msgspec

from loadtests.fleet.costs import Costs
from loadtests.fleet.measured.calibrate import calibrate
from loadtests.fleet.measured.whole import CLIENTS, WORKERS, Whole, cores, measure, system_of_one_product
from loadtests.fleet.model.layout import Layout, Load
from loadtests.fleet.model.simulation import Outcome, simulate
from loadtests.fleet.tables import Table

PARTITIONS = (1, 2, 4)
WITHIN = 0.20
"""How far a prediction may be from what is measured."""
SECONDS, TURNS = 5.0, 2


class Compared(msgspec.Struct):
    """One number of partitions: medians of the turns, and what was predicted."""

    partitions: int
    measured_per_s: float
    predicted_per_s: float
    measured_accepted_per_s: float
    predicted_accepted_per_s: float
    measured_us: dict[str, float]
    predicted_us: dict[str, float]
    others_cores: float
    turns: list[Whole]

    @property
    def ratio(self) -> float:
        """Predicted orders confirmed a second, of the measured."""
        return self.predicted_per_s / self.measured_per_s

    @property
    def is_within(self) -> bool:
        """Whether the prediction is near enough."""
        return abs(self.ratio - 1) <= WITHIN


class Comparison(msgspec.Struct):
    """All of it."""

    costs: Costs
    compared: list[Compared]
    cores: int
    load: float


async def compare(say: Callable[[str], None], *, turns: int = TURNS, seconds: float = SECONDS) -> Comparison:
    """Calibrate on one system, then measure on another, by turns."""
    load = os.getloadavg()[0]
    async with system_of_one_product() as system:
        costs = await calibrate(system, say)
    measured: dict[int, list[Whole]] = {partitions: [] for partitions in PARTITIONS}
    async with system_of_one_product() as system:
        await measure(system, 1, -1, 1.0)  # warm
        for turn in range(turns):
            for partitions in PARTITIONS if turn % 2 == 0 else PARTITIONS[::-1]:
                one = await measure(system, partitions, turn, seconds)
                measured[partitions].append(one)
                say(f"{partitions} partitions: {one.confirmed_per_s:,.0f} orders a second from post to confirmed")
    return Comparison(costs, [_compared(costs, found, seconds) for found in measured.values()], cores(), load)


def predict(costs: Costs, partitions: int, seconds: float, others_cores: float = 0.0) -> Outcome:
    """Return what the model says of this machine with everything on it."""
    busier = msgspec.structs.replace(costs, rest_cores=costs.rest_cores + others_cores)
    return simulate(busier, layout_of(partitions), load_of(seconds))


def layout_of(partitions: int) -> Layout:
    """Return this machine with everything on it."""
    return Layout(partitions=partitions, together=cores(), workers=WORKERS)


def load_of(seconds: float) -> Load:
    """Return what the whole way is measured under."""
    return Load(clients=CLIENTS, seconds=seconds)


def _compared(costs: Costs, turns: list[Whole], seconds: float) -> Compared:
    others = median(one.others_cores for one in turns)
    predicted = predict(costs, turns[0].partitions, seconds, others)
    return Compared(
        partitions=turns[0].partitions,
        measured_per_s=median(one.confirmed_per_s for one in turns),
        predicted_per_s=predicted.confirmed_per_s,
        measured_accepted_per_s=median(one.accepted_per_s for one in turns),
        predicted_accepted_per_s=predicted.accepted_per_s,
        measured_us={part: median(one.us[part] for one in turns) for part in turns[0].us},
        predicted_us=predicted.us,
        others_cores=others,
        turns=turns,
    )


def table(found: Comparison) -> Table:
    """Return the comparison as a table."""
    head = [
        "partitions", "measured", "predicted", "ratio", "accepted, measured", "predicted", "µs an order, measured",
        "predicted", "others on the machine",
    ]  # fmt: skip
    rows = []
    for one in found.compared:
        parts = [part for part in one.measured_us if part != "generator"]  # which makes its requests before the clock
        rows.append([
            str(one.partitions), f"{one.measured_per_s:,.0f}/s", f"{one.predicted_per_s:,.0f}/s",
            f"{one.ratio:.2f}{'' if one.is_within else ', missed'}",
            f"{one.measured_accepted_per_s:,.0f}/s", f"{one.predicted_accepted_per_s:,.0f}/s",
            f"{sum(one.measured_us[part] for part in parts):.0f}",
            f"{sum(one.predicted_us[part] for part in parts):.0f}",
            f"{one.others_cores:.2f} cores",
        ])  # fmt: skip
    return Table("post to confirmed, 64 clients", head, rows)


def told(found: Comparison) -> str:
    """Return it as the document has it."""
    about = f"Turns of each: {len(found.compared[0].turns)}. Load of the {found.cores} cores before: {found.load:.1f}."
    return f"{table(found).markdown()}\n\n{about}"


def write(found: Comparison, file: Path) -> None:
    """Write the JSON."""
    ratios = {str(one.partitions): round(one.ratio, 3) for one in found.compared}
    written = {"ratio": ratios, "within": WITHIN, **msgspec.to_builtins(found)}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(written), indent=2))


def read(file: Path) -> Comparison:
    """Return what was written."""
    return msgspec.json.decode(file.read_bytes(), type=Comparison)
