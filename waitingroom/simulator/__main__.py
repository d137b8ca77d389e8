"""Run the scenarios and write the report: `python -m waitingroom.simulator [--scale N] [--only NAME] [--out FILE]`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from waitingroom.simulator.report import breaches, report
from waitingroom.simulator.run import Simulation, Trace
from waitingroom.simulator.scenario import SCENARIOS
from waitingroom.simulator.store import simulated_store


@click.command()
@click.option("--scale", type=float, default=1.0, show_default=True, help="Size of the crowds.")
@click.option("--only", multiple=True, help="Name of a scenario; may be given more than once.")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="File of the report; without it, the terminal.")
def main(scale: float, only: tuple[str, ...], seed: int, out: Path | None) -> None:
    """Simulate the waiting room and report; exits 1 if a promise does not hold."""
    traces: list[Trace] = []
    for scenario in SCENARIOS:
        if only and scenario.name not in only:
            continue
        began = time.perf_counter()
        with simulated_store() as store:
            traces.append(Simulation(scenario.scaled(scale), store, seed).run())
        click.echo(f"{scenario.name}: {time.perf_counter() - began:.0f} s", err=True)
    text = report(traces)
    if out:
        out.write_text(text)
    else:
        click.echo(text)
    for breach in breaches(traces):
        click.echo(f"does not hold: {breach}", err=True)
    sys.exit(1 if breaches(traces) else 0)


main()
