"""The benchmark in small, against a whole system: every line of its table is measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loadtests.bench.run import main as bench

LINES, ORDERS = 22, 15
pytestmark = pytest.mark.usefixtures("patience")


def measured(only: str, folder: Path) -> dict[str, Any]:
    """Run a part of the benchmark and return what it wrote, its table checked."""
    assert bench(["--quick", "--only", only, "--json", str(folder / "bench.json")]) == 0
    written: dict[str, Any] = json.loads((folder / "bench.json").read_text())
    assert all(row["ours"] > 0 and row["rival"] > 0 for row in written["table"])
    for row in written["table"]:
        ratio = row["ours"] / row["rival"]
        assert row["met"] is (ratio <= row["bar"] if row["at_most"] else ratio >= row["bar"]), row
    assert written["machine"]["cores"]
    assert written["machine"]["postgres"]
    return written


def assert_misses_are_said(written: dict[str, Any], said: str) -> None:
    assert "MISSED" in said or all(row["met"] for row in written["table"])


def test_every_line_of_orders_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = measured("orders", tmp_path)
    assert len(written["table"]) == ORDERS
    found = written["repetitions"]
    assert all(us > 0 for one in found["least"] for us in [one["commands_us"], *one["us"].values()])
    assert all(one["floor_us"] > 0 < one["floor_generator_us"] for one in found["accepting"])
    assert all(one["copy_us"] > 0 for one in found["draining"])
    assert_misses_are_said(written, capsys.readouterr().out)


def test_every_line_of_reads_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = measured("reads", tmp_path)
    assert len(written["table"]) == LINES - ORDERS
    (searched,) = written["repetitions"]["searching"]
    assert all(kind["found"] and not kind["refused"] for kind in searched["asked"])
    assert_misses_are_said(written, capsys.readouterr().out)
