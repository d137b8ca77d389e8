"""What others own or may write is not believed: data folders, secrets, ready documents."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from doorbuster.cli.app import run
from doorbuster.embedded.data import instance, trust
from doorbuster.embedded.data.folder import DataFolder
from doorbuster.errors import InvalidError
from tests.fixtures.up import clean_environment

Spoil = Callable[[Path], None]
DOCUMENT = {"ops_base": "http://127.0.0.1:1", "ops_key": "k" * 16, "data": "", "pids": {}, "urls": {}}


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A data folder with a ready document, as `doorbuster up` leaves it."""
    monkeypatch.setattr("os.environ", clean_environment(XDG_STATE_HOME=str(tmp_path / "state")))
    monkeypatch.chdir(tmp_path)
    made = DataFolder(tmp_path / "data")
    made.open()
    made.secrets()
    made.close()
    instance.write_private(made.ready, json.dumps(DOCUMENT))
    return made.root


@pytest.fixture(params=["another user's", "the group's to write", "everybody's to write"])
def spoil(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Spoil:
    """Make a file or folder one that others decide about."""
    if request.param != "another user's":
        bit = 0o020 if "group" in request.param else 0o002
        return lambda path: path.chmod(path.stat().st_mode & 0o777 | bit)
    if os.geteuid() == 0:
        return lambda path: os.chown(path, 12_345, -1)
    return lambda _: monkeypatch.setattr(trust.os, "geteuid", lambda: os.getuid() + 1)  # then it is another's


def test_our_own_is_believed(folder: Path) -> None:
    assert instance.find(folder).ops_key == "k" * 16
    DataFolder(folder).secrets()
    for private in (folder / "secrets.json", folder / "ready.json"):
        private.chmod(0o644)  # who may only read it changes nothing
    assert instance.find(folder).ops_key == "k" * 16


@pytest.mark.parametrize("spoilt", [".", "ready.json"])
@pytest.mark.parametrize("arguments", [["status"], ["sale", "list"], ["audit"], ["keys", "rotate"]], ids=" ".join)
def test_commands_believe_no_foreign_ready_document(
    folder: Path, spoil: Spoil, spoilt: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(folder / spoilt)
    assert run([*arguments, "--data", str(folder)]) == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert "another user" in said or "other users" in said


@pytest.mark.parametrize("spoilt", [".", "logs", "redis"])
def test_up_takes_no_foreign_folder(
    folder: Path, spoil: Spoil, spoilt: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(folder / spoilt)
    assert run(["up", "--data", str(folder), "--port", "0"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("name", ["secrets.json", "ports.json"])
def test_foreign_secrets_and_ports_are_not_taken(folder: Path, spoil: Spoil, name: str) -> None:
    here = DataFolder(folder)
    here.ports()
    spoil(folder / name)
    with pytest.raises(InvalidError):
        here.secrets() if name == "secrets.json" else here.ports()


def test_a_foreign_note_of_the_instance_started_last_is_passed_over(folder: Path, spoil: Spoil) -> None:
    instance.remember(folder)
    assert instance.find().ops_key == "k" * 16
    spoil(folder.parent / "state" / "doorbuster" / "current")
    if os.geteuid() == 0 or trust.os.geteuid() == os.getuid():
        with pytest.raises(Exception, match="no running instance"):
            _ = instance.find().ops_key


@pytest.mark.parametrize("text", ["", "[]", "{", "\x00"])
def test_what_is_no_document_is_said_in_a_line(folder: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "ready.json").write_text(text)
    assert run(["status", "--data", str(folder)]) == 2
    assert "is no JSON object" in capsys.readouterr().err


def test_a_pipe_or_a_folder_is_no_document(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "ready.json").unlink()
    os.mkfifo(folder / "ready.json", 0o600)
    assert run(["status", "--data", str(folder)]) == 2
    (folder / "ready.json").unlink()
    (folder / "ready.json").mkdir()
    assert run(["status", "--data", str(folder)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2
