"""Sales from files: made, changed, shown and made again; a wrong file is one line that names the field, exit code 2."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.fixtures.commands import Command
from tests.fixtures.intake import Intake

TOML = """
sale_id = "spring"
name = "Spring"
starts_at = 2099-03-01T10:00:00Z
ends_at = 2099-03-01T12:00:00Z
products = [{ product_id = "lamp", quantity = 5, limits = { customer = 2 } }]
room = { mode = "always", rate_per_s = 100, lobby_opens_at = 2099-03-01T09:00:00Z }

[prewarm]
lead_s = 900
scale = { intake = 4 }

[[timeline]]
at = 2099-03-01T11:05:00+01:00
room = { rate_per_s = 300 }

[[timeline]]
at = 2099-03-01T11:00:00Z
phase = "hold"
"""


async def shown(command: Command, sale_id: str) -> dict[str, Any]:
    code, out, _ = await command("sale", "show", sale_id, "--json")
    assert code == 0
    found: dict[str, Any] = json.loads(out)
    return found


async def test_a_sale_goes_from_file_to_file(command: Command, intake: Intake, tmp_path: Path) -> None:
    await intake.make_product("lamp", units=5)
    file = tmp_path / "sale.toml"
    file.write_text(TOML)
    code, said, warned = await command("sale", "create", "--file", str(file))
    assert (code, warned) == (0, "")
    assert said.startswith("spring is made: 1 product; scheduled")
    spring = await shown(command, "spring")
    assert [one["at"] for one in spring["timeline"]] == ["2099-03-01T10:05:00Z", "2099-03-01T11:00:00Z"]
    assert (spring["prewarm"]["lead_s"], spring["prewarm"]["scale"]["intake"]) == (900, 4)
    page = (await command("sale", "show", "spring"))[1]
    assert "room rate_per_s 300" in page
    assert "phase hold" in page
    assert "prewarm     15 min ahead, intake 4" in page
    # What `show --json` says makes the same sale again, and changes it by its own name.
    (tmp_path / "again.json").write_text(json.dumps(spring | {"sale_id": "summer"}))
    assert (await command("sale", "create", "--file", str(tmp_path / "again.json")))[0] == 0
    summer = await shown(command, "summer")
    aside = {"sale_id", "sale_number", "created_at", "version"}
    assert {name: value for name, value in summer.items() if name not in aside} == {
        name: value for name, value in spring.items() if name not in aside
    }
    code, said, _ = await command("sale", "change", "--file", "-", answer=json.dumps(summer | {"timeline": []}))
    assert (code, said.splitlines()[0].startswith("summer is changed: ")) == (0, True)
    assert "timeline: " in said
    assert "-> nothing" in said
    assert (await command("sale", "change", "--file", str(file), "--name", "Late"))[0] == 0
    assert (await shown(command, "spring"))["name"] == "Late"


WRONG = [
    (TOML.replace("11:05:00+01:00", "11:05:00"), "timeline[0].at: "),
    (TOML.replace("2099-03-01T11:00:00Z", '"soon"'), "timeline[1].at: 'soon' is no time"),
    (TOML.replace('phase = "hold"', 'phase = "paused"'), "timeline[1].phase"),
    (TOML.replace("rate_per_s = 300", "speed = 300"), "timeline[0].room.speed"),
    (TOML.replace("T09:00:00Z }", 'T09:00:00" }').replace("= 2099-03-01T09", '= "2099-03-01T09'), "lobby_opens_at"),
    (TOML.replace("lead_s = 900", "lead_s = true"), "prewarm.lead_s"),
    (TOML.replace('sale_id = "spring"', ""), "sale_id: is missing"),
    ("sale_id = ", "--file: "),
]


async def test_a_wrong_file_is_one_line(command: Command, intake: Intake, tmp_path: Path) -> None:
    await intake.make_product("lamp", units=5)
    file = tmp_path / "sale.toml"
    for text, named in WRONG:
        file.write_text(text)
        code, said, complaint = await command("sale", "create", "--file", str(file))
        assert (code, said) == (2, ""), complaint
        assert named in complaint
        assert complaint.count("\n") == 1
    (tmp_path / "sale.json").write_text("[1]")
    said = await command("sale", "create", "--file", str(tmp_path / "sale.json"))
    assert said == (2, "", "doorbuster: --file: must be a JSON object\n")


async def test_a_copy_is_made_and_what_is_doubtful_is_said(command: Command, intake: Intake) -> None:
    await intake.make_product("lamp", units=5)
    made = await command("sale", "create", "one", "--product", "lamp:quantity=4", "--starts-at", "2099-01-01T10:00:00Z")
    assert made[0] == 0
    code, said, warned = await command("sale", "clone", "one", "two", "--starts-at", "2099-01-02T10:00:00Z")
    assert (code, said.startswith("two is made like one: 1 product; scheduled")) == (0, True)
    assert warned == "warning: lamp: with one, on sale at the same time, 8 are allotted of its 5 units\n"
    code, _, complaint = await command("sale", "clone", "one", "two")
    assert (code, complaint.count("\n")) == (2, 1)
    other = await command("sale", "change", "two", "--file", "-", answer='{"sale_id": "one"}')
    assert (other[0], other[2]) == (2, "doorbuster: sale_id: the file is of 'one', not of 'two'\n")
    again = await command("sale", "change", "two", "--file", "-", answer='{"partitions": 2}')
    assert (again[0], "partitions" in again[2]) == (2, True)


async def test_a_file_sets_back_nothing_that_its_timeline_has_changed(command: Command, intake: Intake) -> None:
    await intake.make_product("lamp", units=5)
    body = {
        "sale_id": "one", "products": [{"product_id": "lamp"}], "starts_at": "2020-01-01T10:00:00Z",
        "room": {"mode": "always", "rate_per_s": 100},
        "timeline": [{"at": "2020-01-01T11:00:00Z", "room": {"rate_per_s": 7}}],
    }  # fmt: skip
    assert (await command("sale", "create", "--file", "-", answer=json.dumps(body)))[0] == 0
    changed = await command("sale", "change", "--file", "-", answer=json.dumps(body | {"name": "One"}))
    assert changed[1].splitlines()[1:] == ["  name: - -> One"]
    assert (await shown(command, "one"))["room"] == {"mode": "always", "rate_per_s": 7}
    by_hand = await command("sale", "set", "one", "--rate", "100")
    assert by_hand[1].splitlines()[1:] == ["  room rate_per_s: 7.0 -> 100.0"]


async def test_a_timeline_that_does_nothing_is_doubted(command: Command, intake: Intake) -> None:
    await intake.make_product("lamp", units=5)
    body = {
        "sale_id": "one", "products": [{"product_id": "lamp"}], "starts_at": "2020-01-01T10:00:00Z",
        "timeline": [{"at": "2020-01-01T11:00:00Z", "room": {"rate_per_s": 500, "burst": 1}}],
    }  # fmt: skip
    code, _, warned = await command("sale", "create", "--file", "-", answer=json.dumps(body))
    assert code == 0
    assert "timeline[0]: the room is off then" in warned
    assert "it has applied" in warned
