"""The commands of the fleet: tables of small runs, what is put into the document, wrong input in a line."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from loadtests.fleet import sweep
from loadtests.fleet.__main__ import main
from loadtests.fleet.costs import Work, load
from loadtests.fleet.measured import cluster, compare, recovery
from loadtests.fleet.measured.company import Done
from loadtests.fleet.measured.recovery import Recovery
from loadtests.fleet.measured.whole import Busy, Run, Whole
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
    one, other = compare.predict(COSTS, Run(1), 0.5), compare.predict(COSTS, Run(1), 0.5, others_cores=0.8)
    assert one == compare.predict(COSTS, Run(1), 0.5)
    assert other.confirmed_per_s < one.confirmed_per_s
    layout = compare.layout_of(1)
    assert simulate(COSTS, layout, compare.load_of(0.5)) == one


def whole(clients: int, confirmed_per_s: float, partitions: int = 1) -> Whole:
    work = Work(1_000, 50, 1_000, 4, 4)
    return Whole(
        partitions=partitions, clients=clients, accepted_per_s=100, confirmed_per_s=confirmed_per_s, p99_to_final_ms=80,
        orders=1_000, orders_a_call=20, orders_a_batch=250, us=dict.fromkeys(OUTCOME.us, 10.0),
        done=Done(work, COSTS.of(work)), busy_cores=1.5, others_cores=0.1,
    )  # fmt: skip


OUTCOME = msgspec.structs.replace(compare.predict(COSTS, Run(1), 0.1), samples=[])
RECOVERY = Recovery(5_000, 3.0, 1.2, 3.1)


def comparison(*compared: tuple[int, float]) -> compare.Comparison:
    """Return one of runs with so many clients, each predicted at a hundred orders a second and measured at so many."""
    told = msgspec.structs.replace(OUTCOME, confirmed_per_s=100)
    runs = [compare.Compared([whole(clients, measured)], told, told, told) for clients, measured in compared]
    return compare.Comparison(COSTS, runs, RECOVERY, RECOVERY, cores=2, load=0)


def test_a_prediction_that_is_far_off_is_said() -> None:
    assert [row[4] for row in compare.table(comparison((64, 80), (64, 90))).rows] == ["1.25, missed", "1.11"]
    assert not comparison((64, 90), (64, 80)).is_within
    assert "the bar of 20% is missed" in compare.told(comparison((64, 90), (64, 80)))
    assert "largest error of the three is 11%" in compare.told(comparison((64, 90), (64, 95)))


def test_the_bar_is_for_the_runs_of_64_clients() -> None:
    found = comparison((64, 90), (256, 50))
    assert found.is_within
    assert [row[4] for row in compare.table(found).rows] == ["1.11", "2.00"]
    assert [len(row) for row in compare.parts_table(found).rows] == [2] * 9


def test_the_turns_of_a_run_are_told_by_their_median() -> None:
    one = compare.Compared([whole(64, rate) for rate in (50, 100, 400)], OUTCOME, OUTCOME, OUTCOME)
    assert one.measured("confirmed_per_s") == 100


def test_a_comparison_is_kept_and_read(tmp_path: Path) -> None:
    found = comparison((64, 90), (256, 50))
    compare.write(found, tmp_path / "x" / "compare.json")
    assert compare.read(tmp_path / "x" / "compare.json") == found
    assert msgspec.json.decode((tmp_path / "x" / "compare.json").read_bytes())["ratio"]["1 of 64"] == 1.111


def test_a_backlog_is_foretold_by_the_model() -> None:
    foretold = recovery.predict(COSTS, compare.layout_of(1), Recovery(2_000, 1.5, 0, 0), seconds=2.5)
    assert foretold.still_s == 1.5
    assert 1.4 < foretold.longest_s < 1.9
    assert 0 < foretold.calm_s < 1


def test_a_machine_is_as_busy_as_its_idle_time_says() -> None:
    busy = Busy()
    busy.look(0, 0)
    assert busy.cores == 0
    busy.look(1, 0)
    assert busy.cores == 0


def test_a_comparison_of_topologies_is_kept_and_read(tmp_path: Path) -> None:
    turns = [
        cluster.Accepted(name, partitions, rate, 40, 20, 10)
        for partitions in cluster.PARTITIONS
        for name, rate in (("single", 1_000.0), ("cluster", 900.0))
    ]
    found = cluster.Found(turns, 0.1)
    cluster.write(found, tmp_path / "cluster.json")
    assert cluster.read(tmp_path / "cluster.json") == found
    rows = cluster.table(found, COSTS).rows
    assert [row[3] for row in rows] == ["0.90", "0.90", "0.90"]
    assert all(0.3 < float(row[4]) < 1 for row in rows)
