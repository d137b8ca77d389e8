"""What a long run leaves: figures over time as CSV, and all of it with its verdicts as JSON."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from loadtests.endurance import Endured, Slice, main, write_down


def run_of(looks: int, *, leak_mb: float) -> Endured:
    """Return a run whose intake leaks so much from look to look."""
    slices = [
        Slice(
            at_s=20.0 * look, orders=200_000 * look, per_s=10_000.0, final_s=0.2, store_mb=100 + 60.0 * look,
            database_mb=300 + 250.0 * look, resident_mb=72.0, disk_mb=900 + 400.0 * look,
            memory_mb={"intake": 60 + leak_mb * look, "orders": 100 + 60.0 * look, "worker": 200.0},
        )
        for look in range(1, looks + 1)
    ]  # fmt: skip
    return Endured(slices, 200_000 * looks, 0)


def test_what_leaks_is_named(tmp_path: Path) -> None:
    write_down(run_of(25, leak_mb=5.0), tmp_path / "a" / "e.csv", tmp_path / "e.json")
    rows = list(csv.DictReader((tmp_path / "a" / "e.csv").read_text().splitlines()))
    assert len(rows) == 25
    assert (rows[0]["orders"], rows[-1]["memory_intake_mb"]) == ("200000", "185.0")
    found = json.loads((tmp_path / "e.json").read_text())
    assert {one["name"] for one in found["growth"] if not one["steady"]} == {"memory of intake"}
    assert len(found["slices"]) == 25


def test_what_is_kept_may_grow_and_little_else() -> None:
    names = {one.name: one.is_steady for one in run_of(25, leak_mb=0.0).growths()}
    assert all(names.values())
    assert "memory of orders" not in names  # the order store is judged by what an order may take there
    assert {"order store", "database", "disk", "newest final after", "memory of worker"} <= names.keys()


def test_a_short_run_judges_nothing() -> None:
    assert run_of(3, leak_mb=50.0).growths() == []


@pytest.mark.parametrize("wrong", [["--orders", "0"], ["--orders", "20000001"], ["--seconds", "x"]])
def test_a_run_is_bounded(
    wrong: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["endurance", *wrong])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert wrong[0] in capsys.readouterr().err
