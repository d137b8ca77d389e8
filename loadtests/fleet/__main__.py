"""`python -m loadtests.fleet`: simulate a fleet, measure what its parts take, compare the two, size a shop."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import msgspec

from loadtests.check.report import console
from loadtests.fleet import costs as files
from loadtests.fleet import sizing, sweep
from loadtests.fleet.measured import cluster, compare
from loadtests.fleet.measured.calibrate import calibrate
from loadtests.fleet.measured.whole import system_of_one_product
from loadtests.fleet.tables import put

if TYPE_CHECKING:
    from rich.console import Console


class Parser(argparse.ArgumentParser):
    """A parser that complains on one line, as the other commands do."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and exit with 2."""
        self.exit(2, f"doorbuster: fleet: {message}\n")


def main(arguments: list[str]) -> int:
    """Do what is asked; return the exit code."""
    options = _parser().parse_args(arguments)
    if options.what == "measure" and options.json:
        _parser().error("--json: what is adopted lies in reports/")
    screen = console()
    if options.what == "simulate":
        return _simulate(screen, options)
    if options.what == "sizing":
        for table in sizing.tables(_costs(options.costs)).values():
            print(f"{table.markdown()}\n")
        return 0
    if options.what == "adopt":
        return _adopt(screen)
    if options.what == "calibrate":
        costs = asyncio.run(_calibrate(screen))
        file = options.json or Path("reports/fleet-costs.json")
        files.save(costs, file)
        screen.print(f"written to {file}")
        return 0
    if options.what == "cluster":
        return _cluster(screen, options)
    code = _compare(screen, options)
    if options.what == "measure":
        _cluster(screen, options)
        _adopt(screen)
    return code


def _parser() -> Parser:
    parser = Parser(prog="python -m loadtests.fleet", description=__doc__)
    whats = ("simulate", "calibrate", "compare", "cluster", "measure", "sizing", "adopt")
    parser.add_argument("what", nargs="?", choices=whats, default="simulate")
    parser.add_argument("--costs", type=Path, default=files.REFERENCE, help="service times (default: the reference's)")
    parser.add_argument("--json", type=Path, help="where to write the figures (default: reports/fleet-...json)")
    parser.add_argument("--seed", type=int, default=1, help="of the simulation (default 1)")
    parser.add_argument("--turns", type=int, choices=range(1, 10), metavar="1..9", help="of what is measured")
    parser.add_argument("--seconds", type=float, help="of each turn")
    parser.add_argument("--quick", action="store_true", help="a smoke run; its figures mean nothing")
    return parser


def _costs(file: Path) -> files.Costs:
    try:
        return files.load(file)
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        _parser().error(f"--costs: {file}: {error}")


def _simulate(screen: Console, options: argparse.Namespace) -> int:
    costs, file = _costs(options.costs), options.json or Path("reports/fleet-simulation.json")
    full, outages = sweep.full_cases(options.seed), sweep.outage_cases(options.seed)
    if options.quick:
        full, outages = sweep.full_cases(options.seed, (1, 4), 1.0), sweep.outage_cases(options.seed, (4,), 4.0)
    outcomes = sweep.run_all(costs, full + outages)
    tables = {
        "full": sweep.full_table(full, outcomes[: len(full)]),
        "outage": sweep.outage_table(outages, outcomes[len(full) :]),
    }
    for table in tables.values():
        screen.print(table.screen())
    sweep.write(file, costs, full + outages, outcomes)
    for name, table in tables.items():
        file.with_name(f"fleet-{name}.md").write_text(table.markdown())
    screen.print(f"written to {file}")
    return 0


async def _calibrate(screen: Console) -> files.Costs:
    async with system_of_one_product() as system:
        return await calibrate(system, screen.print)


def _compare(screen: Console, options: argparse.Namespace) -> int:
    """Exit with 1 if a prediction was too far off."""
    turns, seconds = options.turns or compare.TURNS, options.seconds or compare.SECONDS
    found = asyncio.run(compare.compare(screen.print, turns=turns, seconds=seconds))
    for table in compare.tables(found).values():
        screen.print(table.screen())
    file = options.json or Path("reports/fleet-compare.json")
    compare.write(found, file)
    files.save(found.costs, file.with_name("fleet-costs.json"))
    screen.print(f"load of the machine before: {found.load:.1f}; written to {file}")
    return 0 if found.is_within else 1


def _cluster(screen: Console, options: argparse.Namespace) -> int:
    turns, seconds = options.turns or cluster.TURNS, options.seconds or cluster.SECONDS
    found = asyncio.run(cluster.measure(screen.print, turns=turns, seconds=seconds))
    screen.print(cluster.table(found, _costs(options.costs)).screen())
    file = options.json or Path("reports/fleet-cluster.json")
    cluster.write(found, file)
    screen.print(f"load of the machine before: {found.load:.1f}; written to {file}")
    return 0


def _adopt(screen: Console) -> int:
    """Put what stands in reports/ into the reference's costs and into docs/scaling.md, whatever of it is there."""
    reports, document = Path("reports"), Path("docs/scaling.md")
    if (measured := reports / "fleet-costs.json").exists():
        files.save(files.load(measured), files.REFERENCE)
    found = {name: table.markdown() for name, table in sizing.tables(files.load()).items()}
    found["about"] = sizing.about(files.load())
    if (compared := reports / "fleet-compare.json").exists():
        comparison = compare.read(compared)
        found["compared"] = compare.told(comparison)
        found |= {name: compare.tables(comparison)[name].markdown() for name in ("parts", "recovery")}
    if (clustered := reports / "fleet-cluster.json").exists():
        found["cluster"] = cluster.told(cluster.read(clustered), files.load())
    found |= {name: file.read_text() for name in ("full", "outage") if (file := reports / f"fleet-{name}.md").exists()}
    text = document.read_text()
    for name, table in found.items():
        text = put(text, name, table)
    document.write_text(text)
    screen.print(f"written to {document}: {', '.join(found)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
