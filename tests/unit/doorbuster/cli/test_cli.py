"""The command line: what it understands, what it says when it does not, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from doorbuster.cli.app import run
from doorbuster.cli.sale.spec import read_body, read_product
from doorbuster.embedded.data import instance
from doorbuster.errors import InvalidError, NotFoundError
from tests.fixtures.up import clean_environment


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder, and an environment that names no instance."""
    monkeypatch.setattr("os.environ", clean_environment(XDG_STATE_HOME=str(tmp_path / "state")))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _complaints(capsys: pytest.CaptureFixture[str]) -> list[str]:
    lines = capsys.readouterr().err.splitlines()
    assert all(line.startswith("doorbuster: ") for line in lines)
    return [line.removeprefix("doorbuster: ") for line in lines]


def _write_ready(folder: Path, **changes: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        "base": "http://127.0.0.1:1",
        "ops_base": "http://127.0.0.1:2",
        "ops_key": "the-key-of-this-instance",
        "data": str(folder),
        "pids": {"intake": [1]},
        "urls": {"database": "postgresql://here/x"},
    }
    (folder / "ready.json").write_text(json.dumps(document | changes))


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("doorbuster, version ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-command"],
        ["up", "--port", "70000"],
        ["up", "--intake", "0"],
        ["import", "no-such-file"],
        ["sale", "create", "--file", "no-such-file"],
        ["sale", "create"],
        ["sale", "create", "s1", "--product", "a", "--starts-at", "soon"],
        ["sale"],
        [],
        ["stock", "adjust", "lamp", "-5"],
        ["up", "--ready-file", "/no/such/folder/ready"],
        ["up", "--ready-file", "/dev/null"],
        ["down", "--data", "no-such-folder"],
        ["product", "set", "lamp"],
        ["wait", "s1", "--until", "christmas"],
        ["audit"],
        ["migrate"],
        ["sale", "list"],
        ["sale", "create", "s1"],
        ["sale", "create", "s1", "--product", "a:quantity=many"],
    ],
)
def test_what_is_wrong_is_said_in_a_line_with_exit_code_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    assert len(_complaints(capsys)) == 1


def test_wrong_settings_are_all_named_before_the_folder_is_touched(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://root:hidden@db")
    monkeypatch.setenv("BATCH_MAX", "none")
    monkeypatch.setenv("OPS_PORT", "0")
    assert run(["up", "--data", str(elsewhere / "data")]) == 2
    complaints = _complaints(capsys)
    assert [line.partition(":")[0] for line in complaints] == ["BATCH_MAX", "DATABASE_URL", "OPS_PORT"]
    assert "hidden" not in "".join(complaints)
    assert not (elsewhere / "data").exists()


@pytest.mark.parametrize(
    ("text", "product"),
    [
        ("lamp", {"product_id": "lamp"}),
        ("lamp:quantity=5", {"product_id": "lamp", "quantity": 5}),
        (
            "a:b,c:limit=2,price=999,quantity=5",
            {"product_id": "a:b,c", "limit_per_customer": 2, "price": 999, "quantity": 5},
        ),
        ("a:b", {"product_id": "a:b"}),
    ],
)
def test_products_of_a_sale(text: str, product: dict[str, object]) -> None:
    assert read_product(text) == product


@pytest.mark.parametrize("text", ["a:limit=", "a:limit=-1", "a:colour=3", "a:limit=1,"])
def test_wrong_terms_of_a_product(text: str) -> None:
    with pytest.raises(InvalidError):
        read_product(text)


@pytest.mark.parametrize("text", ["", "[]", "{"])
def test_a_body_that_is_no_object(text: str) -> None:
    with pytest.raises(InvalidError):
        read_body(text)


def test_an_instance_is_found_in_the_folder_named_before_all(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write_ready(elsewhere / ".doorbuster", ops_base="http://127.0.0.1:3")
    _write_ready(elsewhere / "other")
    assert instance.find().ops_base == "http://127.0.0.1:3"
    assert instance.find(elsewhere / "other").ops_base == "http://127.0.0.1:2"
    monkeypatch.setenv("DOORBUSTER_DATA", str(elsewhere / "other"))
    assert instance.find().ops_base == "http://127.0.0.1:2"


def test_an_instance_is_found_where_the_last_one_was_started(elsewhere: Path) -> None:
    _write_ready(elsewhere / "far" / "away")
    instance.remember(elsewhere / "far" / "away")
    assert instance.find().url("database") == "postgresql://here/x"


def test_the_environment_goes_before_what_a_document_says(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write_ready(elsewhere / ".doorbuster")
    monkeypatch.setenv("DATABASE_URL", "postgresql://there/x")
    found = instance.find()
    assert found.url("database") == "postgresql://there/x"
    assert found.ops_key == "the-key-of-this-instance"


def test_no_instance_says_where_it_was_looked_for(elsewhere: Path) -> None:
    with pytest.raises(NotFoundError, match="ORDERS_REDIS_URL"):
        instance.find().url("orders_redis")


@pytest.mark.parametrize("sale_id", ["a/b", "../products", "a b", "%2e", ""])
@pytest.mark.parametrize("step", ["show", "open", "prewarm", "revoke"])
def test_an_id_that_no_sale_can_have_is_no_path(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, sale_id: str, step: str
) -> None:
    _write_ready(tmp_path / "data")
    assert run(["sale", step, sale_id, "--data", str(tmp_path / "data")]) == 2
    assert _complaints(capsys) == [f"there is no sale {sale_id!r}"]


def test_bench_complains_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "--nope"]) == 2
    assert _complaints(capsys) == ["bench: unrecognized arguments: --nope"]


@pytest.mark.parametrize("command", [["sale", "list"], ["status"], ["log"]])
def test_ctrl_c_is_a_line_and_130(
    command: list[str], elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for module in ("sale.commands", "instance.status", "ops_log"):
        monkeypatch.setattr(f"doorbuster.cli.{module}.find", interrupt)
    assert run(command) == 130
    assert _complaints(capsys) == ["interrupted"]


@pytest.mark.parametrize("content", ["", "[]", "{", "\x00"])
def test_a_ready_document_that_is_none_is_said_in_a_line(
    content: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere / "data").mkdir()
    (elsewhere / "data" / "ready.json").write_text(content)
    assert run(["status", "--data", str(elsewhere / "data")]) == 2
    assert len(_complaints(capsys)) == 1
