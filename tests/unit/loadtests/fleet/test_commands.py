"""The commands of the fleet: tables of small runs, what is put into the document, wrong input in a line."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from loadtests.fleet import sweep
from loadtests.fleet.__main__ import main
from loadtests.fleet.costs import load
from loadtests.fleet.measured import cluster, compare
from loadtests.fleet.model.simulation import simulate

COSTS = load()


def test_the_sizes_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sizing"]) == 0
    assert "| 1,000,000 | no | 50,000 |" in capsys.readouterr().out


@pytest.mark.parametrize("content", ["", "{}", '{"intake_order_us": "much"}'])
def test_costs_that_are_none_are_a_line_and_exit_code_2(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "costs.json"
    file.write_text(content)
    with pytest.raises(SystemExit) as ended:
        main(["sizing", "--costs", str(file)])
    assert ended.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [["grow"], ["measure", "--json", "x"], ["compare", "--turns", "0"], ["--seed", "x"], ["sizing", "--costs", "no"]],
)
def test_wrong_arguments_are_a_line_and_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_sweep_becomes_tables_and_a_file(tmp_path: Path) -> None:
    full, outages = sweep.full_cases(1, (2,), 0.02), sweep.outage_cases(1, (2,), 0.02)[:1]
    outcomes = [sweep.run(COSTS, case) for case in full + outages]
    assert [row[1] for row in sweep.full_table(full, outcomes[:2]).rows] == ["2", "2"]
    assert len(sweep.outage_table(outages, outcomes[2:]).rows) == 1
    sweep.write(tmp_path / "x" / "sweep.json", COSTS, full + outages, outcomes)
    written = msgspec.json.decode((tmp_path / "x" / "sweep.json").read_bytes())
    assert [run["case"]["name"] for run in written["runs"]] == [case.name for case in full + outages]


def test_one_machine_with_everything_is_predicted_as_one_configuration_of_the_model() -> None:
    one, other = compare.predict(COSTS, 1, 0.5), compare.predict(COSTS, 1, 0.5, others_cores=0.8)
    assert one == compare.predict(COSTS, 1, 0.5)
    assert other.confirmed_per_s < one.confirmed_per_s
    layout = compare.layout_of(1)
    assert simulate(COSTS, layout, compare.load_of(0.5)) == one


def test_a_prediction_that_is_far_off_is_said() -> None:
    found = compare.Compared(
        partitions=1, measured_per_s=100, predicted_per_s=121, measured_accepted_per_s=1, predicted_accepted_per_s=1,
        measured_us={"intake": 1.0}, predicted_us={"intake": 1.0}, others_cores=0, turns=[],
    )  # fmt: skip
    assert not found.is_within
    near = msgspec.structs.replace(found, predicted_per_s=119)
    assert near.is_within
    table = compare.table(compare.Comparison(COSTS, [found, near], cores=2, load=0))
    assert [row[3] for row in table.rows] == ["1.21, missed", "1.19"]


def test_a_comparison_of_topologies_is_kept_and_read(tmp_path: Path) -> None:
    turns = [
        cluster.Accepted(name, partitions, rate, 40, 20, 10)
        for partitions in cluster.PARTITIONS
        for name, rate in (("single", 1_000.0), ("cluster", 900.0))
    ]
    found = cluster.Found(turns, 0.1)
    cluster.write(found, tmp_path / "cluster.json")
    assert cluster.read(tmp_path / "cluster.json") == found
    assert [row[3] for row in cluster.table(found).rows] == ["0.90", "0.90", "0.90"]
