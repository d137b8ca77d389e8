"""`doorbuster ops-keys`: made and shown once, listed, revoked by name or number."""

from __future__ import annotations

import json

import pytest

from tests.fixtures.commands import Command
from tests.fixtures.intake import Intake


async def test_keys_are_made_listed_and_revoked(command: Command, intake: Intake) -> None:
    code, key, told = await command(
        "ops-keys", "create", "night desk", "--role", "view", "--expires", "2099-01-01T00:00Z"
    )
    assert code == 0
    assert "shown this once" in told
    assert key.startswith("dbops_")
    assert (await intake.http.get("/ops/sales", headers={"Authorization": f"Bearer {key.strip()}"})).status_code == 200
    made = json.loads((await command("ops-keys", "create", "bot", "--role", "operate", "--json"))[1])
    assert made["key"].startswith("dbops_")
    shown = (await command("ops-keys", "list"))[1]
    assert [line.split()[:2] for line in shown.splitlines()] == [["id", "name"], ["2", "bot"], ["1", "night"]]
    assert "dbops_" not in shown
    assert (await command("ops-keys", "revoke", "bot"))[0] == 2  # nobody answered
    assert (await command("ops-keys", "revoke", "bot", "--yes"))[:2] == (0, "the ops key 2 of bot is revoked\n")
    assert (await command("ops-keys", "revoke", "1", answer="y\n"))[0] == 0
    assert (await command("ops-keys", "list"))[1] == "no ops keys but OPS_KEY\n"
    states = [one["state"] for one in json.loads((await command("ops-keys", "list", "--all", "--json"))[1])]
    assert states == ["revoked", "revoked"]


async def test_wrong_usage_is_one_line(command: Command) -> None:
    for wrong in (
        ("ops-keys", "create", "x"),
        ("ops-keys", "create", "x", "--role", "root"),
        ("ops-keys", "create", "x", "--role", "view", "--expires", "tomorrow"),
        ("ops-keys", "create", "x", "--role", "view", "--expires", "2020-01-01T00:00Z"),
        ("ops-keys", "revoke", "nobody", "--yes"),
        ("ops-keys",),
    ):
        code, out, complaint = await command(*wrong)
        assert (code, out) == (2, ""), wrong
        assert complaint.count("\n") == 1, wrong


async def test_a_key_that_may_too_little_is_told_what_it_takes(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = json.loads((await command("ops-keys", "create", "eyes", "--role", "view", "--json"))[1])
    monkeypatch.setenv("OPS_KEY", made["key"])
    code, _, complaint = await command("stock", "receive", "lamp", "1")
    assert code == 2
    assert complaint == "doorbuster: This takes the role operate; the key 'eyes' is one of the role view\n"
