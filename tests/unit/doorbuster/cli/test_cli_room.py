"""The command line's part of the waiting room: a room's options, the draw computed again, keys rotated."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from doorbuster.cli.app import run
from doorbuster.cli.instance import keys as keys_command
from doorbuster.cli.sale import shuffle
from doorbuster.cli.sale.spec import split_room
from doorbuster.contract.room import ChallengeView, PollView, RoomStatus, SoldOutView
from doorbuster.embedded.data.folder import DataFolder
from doorbuster.errors import SettingsError
from intake.room.key_file import KeyFile
from tests.fixtures.up import clean_environment
from waitingroom.keyring import KeyRing, Signer
from waitingroom.shuffle import place_of, seed_of

SECRET = b"s" * 32
SEED = seed_of(SECRET, 100, "draw")
START = datetime(2026, 3, 1, 10, tzinfo=UTC)


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder, and an environment that names no instance."""
    monkeypatch.setattr("os.environ", clean_environment(XDG_STATE_HOME=str(tmp_path / "state")))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def status(**changes: Any) -> RoomStatus:
    shown = RoomStatus(
        sale_id="spring", mode="always", phase="open", needs_admission=True, frontier=0, tail=100, waiting=100,
        rate_per_s=1.0, starts_at=START, lobby_opens_at=START, ends_at=None, cohort=100,
        commitment=hashlib.sha256(SECRET).hexdigest(), seed=SEED.hex(), secret=SECRET.hex(), beacon="draw",
        sold_out=SoldOutView(False, []), message="", poll=PollView(1, 30, 0.1, 0.2),
        challenge=ChallengeView("none"), degraded=False, at="2026-03-01T10:00:00.000Z",
    )  # fmt: skip
    return msgspec.structs.replace(shown, **changes)


def verify(monkeypatch: pytest.MonkeyPatch, shown: RoomStatus, *arguments: str) -> int:
    monkeypatch.setattr(shuffle, "_status", lambda _base, _sale: shown)
    return run(["sale", "verify-shuffle", "spring", "--url", "http://127.0.0.1:1", *arguments])


def test_an_honest_draw_holds_and_shows_the_places(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(monkeypatch, status(), "--json", "--ticket-number", "1", "--ticket-number", "101") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["fair"] is True
    assert shown["places"] == {"1": place_of(1, 100, SEED), "101": 101}


@pytest.mark.parametrize(
    "changes",
    [
        {"secret": (b"t" * 32).hex()},
        {"commitment": "0" * 64},
        {"seed": "0" * 64},
        {"cohort": 99},
        {"beacon": "another"},
    ],
)
def test_whatever_was_changed_shows(changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert verify(monkeypatch, status(**changes)) == 1


def test_a_commitment_changed_afterwards_shows_to_who_noted_it(monkeypatch: pytest.MonkeyPatch) -> None:
    other = b"t" * 32
    forged = status(
        secret=other.hex(), commitment=hashlib.sha256(other).hexdigest(), seed=seed_of(other, 100, "draw").hex()
    )
    assert verify(monkeypatch, forged) == 0
    assert verify(monkeypatch, forged, "--commitment", hashlib.sha256(SECRET).hexdigest()) == 1


@pytest.mark.parametrize("changes", [{}, {"lobby_opens_at": None}])
def test_before_the_draw_there_is_nothing_to_verify(changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert verify(monkeypatch, status(secret=None, seed=None, cohort=None, **changes)) == 2


def test_a_sale_takes_the_options_of_its_room(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []

    def answer(_instance: object, _method: str, _path: str, *, body: Any) -> Any:
        sent.append(body)
        return {"sale_id": "s", "products": [], "effective_phase": "open", "ends_at": None, "room": {}} | {
            "starts_at": "2026-03-01T10:00:00Z"
        }

    monkeypatch.setattr("doorbuster.cli.sale.commands.call", answer)
    made = "sale create s --product lamp --room-mode always --rate 100 --burst 50 --max-active 7 --hold-s 60"
    assert run([*made.split(), "--lobby-opens-at", "2026-03-01T10:00:00Z", "--orders-allowed", "2"]) == 0
    assert run(["sale", "create", "s", "--product", "lamp", "--rate", "5"]) == 0
    assert run(["sale", "create", "s", "--product", "lamp"]) == 0
    room = {"mode": "always", "rate_per_s": 100.0, "burst": 50, "max_active": 7, "orders_allowed": 2}
    assert sent[0] == {
        "sale_id": "s", "products": [{"product_id": "lamp"}], "hold_s": 60,
        "room": room | {"lobby_opens_at": "2026-03-01T10:00:00Z"},
    }  # fmt: skip
    assert sent[1]["room"] == {"mode": "always", "rate_per_s": 5.0}
    assert "room" not in sent[2]


def test_terms_of_a_room_are_told_from_those_of_its_sale() -> None:
    assert split_room({"hold_s": 1, "room_burst": 2}) == ({"hold_s": 1}, {"burst": 2})


# Keys.


def folder_of(elsewhere: Path) -> DataFolder:
    folder = DataFolder(elsewhere / "data")
    folder.open()
    secrets = folder.secrets()
    folder.close()
    (folder.root / "ready.json").write_text(json.dumps({"data": str(folder.root)}))
    assert secrets["room_keys"].startswith("k")
    return folder


def test_rotating_writes_the_new_key_first_for_verifying_then_for_signing(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_of(elsewhere)
    before = folder.secrets()
    meanwhile: list[str] = []
    monkeypatch.setattr(keys_command.time, "sleep", lambda _s: meanwhile.append(folder.secrets()["room_keys"]))
    assert run(["keys", "rotate", "--data", str(folder.root)]) == 0
    after = folder.secrets()
    former, fresh = meanwhile[0].split(",")
    assert former == before["room_keys"]
    assert after == before | {"room_keys": f"{fresh},{former}"}
    assert folder.secrets_file.stat().st_mode & 0o777 == 0o600
    assert fresh.partition(":")[2] not in capsys.readouterr().out


def test_where_the_environment_holds_the_keys_both_values_are_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ROOM_KEYS", "a:" + "s" * 16)
    assert run(["keys", "rotate"]) == 0
    known, signing = (line.partition("=")[2].split(",") for line in capsys.readouterr().out.splitlines())
    assert known[0] == signing[1] == "a:" + "s" * 16
    assert known[1] == signing[0]


def test_without_instance_and_keys_there_is_nothing_to_rotate() -> None:
    assert run(["keys", "rotate"]) == 2


def test_a_process_takes_up_its_file_of_keys(elsewhere: Path) -> None:
    file = elsewhere / "keys"
    file.write_text("a:" + "a" * 16)
    watched = KeyFile(file)
    signer = Signer(watched.ring, "t1", 16)
    old = signer.seal(b"x")
    assert not watched.look()
    file.write_text(json.dumps({"room_keys": "b:" + "b" * 16 + ",a:" + "a" * 16}))
    assert watched.look()
    assert signer.seal(b"x").startswith("t1.b.")
    assert signer.open(old) == b"x"
    for broken in ("", "{", "{}", "b"):
        file.write_text(broken)
        assert not watched.look()
    assert signer.open(old) == b"x"
    file.write_text("b:" + "b" * 16)
    assert watched.look()
    assert signer.open(old) is None
    assert KeyRing.parse(file.read_text()).signing_id == "b"


def test_a_file_without_keys_is_a_wrong_setting(elsewhere: Path) -> None:
    with pytest.raises(SettingsError, match="ROOM_KEYS_FILE"):
        KeyFile(elsewhere / "none")
