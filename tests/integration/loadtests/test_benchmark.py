"""The benchmark in small, against a whole system: every line of its table is measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtests.bench.run import main as bench

pytestmark = pytest.mark.usefixtures("patience")


def test_the_benchmark_measures_every_line_of_its_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench(["--quick", "--json", str(tmp_path / "bench.json")]) == 0
    written = json.loads((tmp_path / "bench.json").read_text())
    assert len(written["table"]) == 22
    assert all(row["ours"] > 0 and row["rival"] > 0 for row in written["table"])
    for row in written["table"]:
        ratio = row["ours"] / row["rival"]
        assert row["met"] is (ratio <= row["bar"] if row["at_most"] else ratio >= row["bar"]), row
    (searched,) = written["repetitions"]["searching"]
    assert all(kind["found"] and not kind["refused"] for kind in searched["asked"])
    found = written["repetitions"]
    assert all(us > 0 for one in found["least"] for us in [one["commands_us"], *one["us"].values()])
    assert all(one["floor_us"] > 0 < one["floor_generator_us"] for one in found["accepting"])
    assert all(one["copy_us"] > 0 for one in found["draining"])
    assert written["machine"]["cores"]
    assert "MISSED" in capsys.readouterr().out or all(row["met"] for row in written["table"])
