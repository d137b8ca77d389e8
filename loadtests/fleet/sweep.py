"""Runs the model from 1 to 64 partitions, and what an outage costs. Owns which fleets and loads; judges nothing."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import msgspec

from loadtests.fleet.costs import Costs
from loadtests.fleet.model.layout import Fault, Layout, Load
from loadtests.fleet.model.simulation import Outcome, simulate
from loadtests.fleet.tables import Table

PARTITIONS = (1, 2, 4, 8, 16, 32, 64)
INTAKES, NODES, POSTGRES_CORES = 8, 8, 16
CLIENTS_AN_INTAKE = 250
FULL_S = 1.5
STEADY_PER_S, STEADY_S = 20_000.0, 8.0
SPIKE_PER_S, ROOM_PER_S = 60_000.0, 20_000.0
FAULTS = {
    "a node of the order store, 3 s": Fault(kind="node", at_s=2, for_s=3),
    "an intake process, 3 s": Fault(kind="intake", at_s=2, for_s=3),
    "half of the workers, 5 s": Fault(kind="workers", at_s=2, for_s=5),
    "Postgres, 3 s": Fault(kind="postgres", at_s=2, for_s=3),
}
FAULTY = (1, 8, 64)
"""Partitions of the fleets in which something goes away."""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    name: str
    layout: Layout
    load: Load
    faults: list[Fault] = []
    seed: int = 1


def fleet(partitions: int, *, shared_stock: bool) -> Layout:
    """Return a fleet in which intakes, nodes and Postgres are the same for all partitions."""
    return Layout(
        partitions=partitions,
        intakes=INTAKES,
        nodes=min(partitions, NODES),
        workers=partitions + 2,
        worker_cores=min(partitions + 2, 32),
        postgres_cores=POSTGRES_CORES,
        shared_stock=shared_stock,
    )


def full_cases(seed: int, partitions: Iterable[int] = PARTITIONS, seconds: float = FULL_S) -> list[Case]:
    """Return the runs at full load: one hot product, and products that no two partitions share."""
    load = Load(clients=INTAKES * CLIENTS_AN_INTAKE, seconds=seconds)
    return [
        Case(name=name, layout=fleet(count, shared_stock=shared), load=load, seed=seed)
        for name, shared in (("one hot product", True), ("a product a partition", False))
        for count in partitions
    ]


def outage_cases(seed: int, partitions: Iterable[int] = FAULTY, seconds: float = STEADY_S) -> list[Case]:
    """Return the runs at a steady load: undisturbed, with each fault, and a spike that comes through a room."""
    steady = Load(rate_per_s=STEADY_PER_S, seconds=seconds)
    room = Load(rate_per_s=SPIKE_PER_S, room_per_s=ROOM_PER_S, seconds=seconds / 3)
    cases = []
    for count in partitions:
        layout = fleet(count, shared_stock=True)
        cases.append(Case(name="nothing", layout=layout, load=steady, seed=seed))
        cases += [
            Case(name=name, layout=layout, load=steady, faults=[fault], seed=seed) for name, fault in FAULTS.items()
        ]
        spiked = f"nothing; {SPIKE_PER_S:,.0f}/s come to a room"
        cases.append(Case(name=spiked, layout=layout, load=room, seed=seed))
    return cases


def run(costs: Costs, case: Case) -> Outcome:
    """Run one case."""
    return simulate(costs, case.layout, case.load, faults=case.faults, seed=case.seed)


def run_all(costs: Costs, cases: list[Case]) -> list[Outcome]:
    """Run cases on all cores; the order of what is returned is theirs."""
    with ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
        return list(pool.map(run, [costs] * len(cases), cases))


def full_table(cases: list[Case], outcomes: list[Outcome]) -> Table:
    """Return what the fleets take at full load."""
    title = f"{INTAKES} intakes, up to {NODES} nodes, {POSTGRES_CORES} cores of Postgres"
    head = ["at full load", "partitions", "accepted", "drained", "orders a call", "orders a batch", "most busy"]
    rows = []
    for case, one in zip(cases, outcomes, strict=True):
        part = max(one.busy, key=lambda name: one.busy[name])
        rows.append([
            case.name, str(case.layout.partitions), f"{one.accepted_per_s:,.0f}/s", f"{one.drained_per_s:,.0f}/s",
            f"{one.orders_a_call:.0f}", f"{one.orders_a_batch:,.0f}", f"{part} {min(one.busy[part], 1):.0%}",
        ])  # fmt: skip
    return Table(title, head, rows)


def outage_table(cases: list[Case], outcomes: list[Outcome]) -> Table:
    """Return what outages cost."""
    head = ["what goes away", "partitions", "sent again", "oldest waited", "most waited", "calm after"]
    rows = []
    for case, one in zip(cases, outcomes, strict=True):
        calm = "" if not case.faults else "not" if one.recovered_s is None else f"{one.recovered_s:.1f} s"
        rows.append([
            case.name, str(case.layout.partitions), f"{one.sent_again:,}", f"{one.lag_s:.1f} s", f"{one.waiting:,}",
            calm,
        ])  # fmt: skip
    return Table(f"{STEADY_PER_S:,.0f} orders a second of one hot product", head, rows)


def write(file: Path, costs: Costs, cases: list[Case], outcomes: list[Outcome]) -> None:
    """Write the JSON; moments of a run only where something went away."""
    rows = [
        {
            "case": case,
            "outcome": msgspec.structs.replace(one, samples=one.samples if case.faults else []),
        }
        for case, one in zip(cases, outcomes, strict=True)
    ]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.format(msgspec.json.encode({"costs": costs, "runs": rows}), indent=2))
