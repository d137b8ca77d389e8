"""The commands of ops against a serving intake: what they say, what they ask, what they warn of."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.commands import Command
from tests.fixtures.intake import Intake
from tests.fixtures.visitors import Visitor, open_room

LATER = (datetime.now(UTC) + timedelta(days=2, hours=9, minutes=30)).isoformat(timespec="seconds")


async def test_a_product_is_made_changed_and_stocked_by_sentences(command: Command) -> None:
    made = await command("product", "set", "lamp", "--name", "Lamp", "--brand", "Lux", "--category", "Light",
                         "--price", "4900", "--currency", "EUR")  # fmt: skip
    assert made == (0, "lamp is made, without units: doorbuster stock receive lamp N\n", "")
    assert await command("product", "set", "lamp", "--off") == (0, "lamp is changed: active yes -> no\n", "")
    assert await command("stock", "receive", "lamp", "7") == (
        0, "received 7 of lamp: 7 in stock, 0 reserved, 0 sold\n", "",
    )  # fmt: skip
    adjusted = await command("stock", "adjust", "lamp", "-2", "--reason", "broken")
    assert adjusted == (0, "adjusted lamp by -2: 5 in stock, 0 reserved, 0 sold\n", "")
    assert (await command("stock", "show", "lamp"))[1].splitlines()[1].split() == ["lamp", "5", "0", "0", "5"]
    assert json.loads((await command("product", "show", "lamp", "--json"))[1])["active"] is False
    code, _, complaint = await command("stock", "adjust", "lamp", "-9", "--reason", "x")
    assert (code, complaint) == (2, "doorbuster: the product 'lamp' has fewer than 9 units free\n")


async def test_a_new_product_says_what_it_lacks(command: Command) -> None:
    code, _, complaint = await command("product", "set", "lamp", "--price", "1")
    assert code == 2
    assert complaint == (
        "doorbuster: there is no product 'lamp' yet: a new one needs --name, --brand, --category, --currency too\n"
    )


async def test_a_sale_is_echoed_with_zone_and_time_to_go(command: Command, intake: Intake) -> None:
    await intake.make_product("lamp", units=5)
    code, said, warned = await command("sale", "create", "spring", "--product", "lamp", "--starts-at", LATER)
    assert (code, warned) == (0, "")
    assert said.startswith("spring is made: 1 product; scheduled; starts in 2 d 9 h (")
    assert "UTC)" in said


async def test_what_is_probably_not_meant_is_warned_of(command: Command, intake: Intake) -> None:
    await intake.make_product("few", units=5)
    await intake.make_product("none")
    code, _, warned = await command(
        "sale", "create", "spring", "--product", "few:quantity=9", "--product", "none",
        "--starts-at", "2020-01-01T00:00:00Z", "--ends-at", "2020-01-02T00:00:00Z",
    )  # fmt: skip
    assert code == 0
    lines = warned.splitlines()
    assert all(line.startswith("warning: ") for line in lines)
    assert [any(text in line for line in lines) for text in (
        "the start was", "the end was", "few: the allotment of 9 is more than its 5 units",
        "none has no units in stock",
    )] == [True] * 4  # fmt: skip
    await command("product", "set", "none", "--off")
    code, _, refused = await command("sale", "create", "summer", "--product", "none")
    assert (code, "is switched off" in refused) == (2, True)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--starts-at", "2030-01-01T10:00"], "has no time zone"),
        (["--starts-at", "tomorrow"], "is no time"),
        (["--starts-at", "2030-01-02T00:00Z", "--ends-at", "2030-01-01T00:00Z"], "ends_at: must be after starts_at"),
    ],
)
async def test_a_time_that_cannot_be_meant_is_refused(
    command: Command, intake: Intake, options: list[str], complaint: str
) -> None:
    await intake.make_product("lamp", units=5)
    code, _, said = await command("sale", "create", "spring", "--product", "lamp", *options)
    assert (code, len(said.splitlines())) == (2, 1)
    assert complaint in said


async def test_set_changes_what_is_named_and_says_it(command: Command, intake: Intake) -> None:
    await intake.make_product("lamp", units=50)
    await intake.make_product("tent", units=50)
    await command("sale", "create", "spring", "--product", "lamp:quantity=5,limit=2", "--starts-at", LATER)
    code, said, _ = await command("sale", "set", "spring", "--product", "lamp:quantity=9", "--product", "tent")
    assert code == 0
    assert said.splitlines()[1:] == ["  product lamp: quantity 5 -> 9", "  product tent: added"]
    kept = json.loads((await command("sale", "show", "spring", "--json"))[1])["products"]
    assert [(one["product_id"], one["quantity"], one["limit_per_customer"]) for one in kept] == [
        ("lamp", 9, 2), ("tent", None, None),
    ]  # fmt: skip
    said = (await command("sale", "set", "spring", "--drop", "tent", "--product", "lamp:limit=none"))[1]
    assert said.splitlines()[1:] == ["  product tent: taken out", "  product lamp: limit_per_customer 2 -> -"]
    assert (await command("sale", "set", "spring"))[0] == 2
    assert (await command("sale", "set", "spring", "--drop", "tent"))[0] == 2


@pytest.mark.parametrize("name", ["sale.json", "sale.toml"])
async def test_a_sale_comes_from_a_file(command: Command, intake: Intake, tmp_path: Path, name: str) -> None:
    await intake.make_product("lamp", units=5)
    text = {
        "sale.json": json.dumps({"sale_id": "spring", "products": [{"product_id": "lamp"}], "starts_at": LATER}),
        "sale.toml": f'sale_id = "spring"\nstarts_at = {LATER}\n[[products]]\nproduct_id = "lamp"\n',
    }[name]
    (tmp_path / name).write_text(text)
    assert (await command("sale", "create", "--file", name))[0] == 0
    (tmp_path / name).write_text('{"hold_s": 60}' if name.endswith("json") else "hold_s = 60\n")
    assert (await command("sale", "change", "spring", "--file", name))[1].splitlines()[1:] == ["  hold_s: 600 -> 60"]


@pytest.mark.parametrize("content", ["[]", "{", "\x00"])
async def test_a_file_that_is_no_sale_is_said_in_a_line(command: Command, tmp_path: Path, content: str) -> None:
    for name in ("sale.json", "sale.toml"):
        (tmp_path / name).write_text(content)
        code, _, said = await command("sale", "create", "spring", "--file", name)
        assert (code, len(said.splitlines())) == (2, 1)


async def test_what_cannot_be_undone_asks_first(command: Command, intake: Intake) -> None:
    await intake.open_sale("spring", room={"mode": "always"})
    code, said, complaint = await command("sale", "close", "spring", answer="n\n")
    assert (code, said) == (1, "")
    assert complaint.endswith("doorbuster: nothing was done\n")
    code, _, complaint = await command("sale", "close", "spring")
    assert code == 2
    assert "say --yes" in complaint
    assert (await intake.ops.get("/ops/sales/spring")).json()["phase"] == "open"
    assert await command("sale", "close", "spring", "--yes") == (0, "spring is closed for good\n", "")


async def test_revoking_says_how_many(command: Command, intake: Intake) -> None:
    await open_room(intake)
    for name in ("ann", "bob"):
        visitor = Visitor(intake, "sale", name)
        await visitor.join()
        await visitor.admitted()
    code, said, _ = await command("sale", "revoke", "sale", answer="y\n")
    assert (code, said) == (0, "sale: 2 admissions revoked; who had one joins again\n")


async def test_every_list_has_a_table_and_json(command: Command, intake: Intake) -> None:
    assert await command("sale", "list") == (0, "no sales yet\n", "")
    await intake.open_sale("spring", "lamp")
    shown: list[Any] = json.loads((await command("sale", "list", "--json"))[1])
    assert [one["sale_id"] for one in shown] == ["spring"]
    assert (await command("sale", "list"))[1].splitlines()[1].startswith("spring")
    entries = json.loads((await command("log", "sale:spring", "--json"))[1])
    assert [(one["action"], one["target"]) for one in entries] == [("create", "sale:spring")]
    assert (await command("sale", "log", "spring"))[1].count("sale:spring") == 1
    products = json.loads((await command("product", "list", "--json"))[1])
    assert [one["product_id"] for one in products] == ["lamp"]


async def test_waiting_ends_when_the_sale_is_there_or_the_time_is_over(command: Command, intake: Intake) -> None:
    await intake.open_sale("spring")
    assert await command("wait", "spring", "--until", "open") == (0, "spring is open\n", "")
    assert (await command("wait", "spring"))[1] == "spring is settled\n"
    code, said, _ = await command("wait", "spring", "--until", "ended", "--timeout-s", "0")
    assert (code, said) == (1, "spring is not ended yet: it is open\n")


async def test_prewarm_is_a_table_with_the_verdict_in_the_exit_code(
    command: Command, intake: Intake, staffed: None
) -> None:
    await intake.open_sale("spring")
    code, said, _ = await command("prewarm", "spring")
    assert code == 1
    assert said.splitlines()[-1] == "spring: NO-GO: 1 check fails"
    await intake.make_product("hot", units=1)
    assert (await command("prewarm", "spring"))[1].splitlines()[-1] == "spring: go"
    assert json.loads((await command("prewarm", "spring", "--json"))[1])["go"] is True


async def test_a_wrong_key_is_said_as_such(command: Command, intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPS_KEY", "another-key-altogether")
    code, _, said = await command("sale", "list")
    assert code == 2
    assert said.startswith("doorbuster: the ops key is not that of http://127.0.0.1:")
