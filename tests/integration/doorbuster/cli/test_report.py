"""`doorbuster sale report`: in the terminal, as JSON, as a page in a file."""

from __future__ import annotations

import json
from pathlib import Path

from tests.fixtures.commands import Command
from tests.fixtures.intake import Intake
from tests.fixtures.shop import Shop


async def test_it_is_printed_and_written(command: Command, intake: Intake, shop: Shop, tmp_path: Path) -> None:
    await intake.make_product(units=1)
    shop.sale_number = (await intake.open_sale())["sale_number"]
    for customer in ("ann", "bob"):
        assert (await intake.post("sale", customer_id=customer)).status_code == 202
    await shop.drain()
    await shop.settle()
    code, _, complaint = await command("sale", "report", "sale")
    assert code == 2
    assert "The sale is open" in complaint
    assert (await command("sale", "report", "sale", "--preview"))[1].startswith("sale: a preview")
    (await intake.ops.post("/ops/sales/sale/close")).raise_for_status()
    code, said, complaint = await command("sale", "report", "sale")
    assert (code, complaint) == (0, "")
    assert "captured 100, refunded 0; the sums balance" in said
    assert "sold out" in said
    assert json.loads((await command("sale", "report", "sale", "--json"))[1])["totals"]["accepted"] == 2
    page = tmp_path / "report.html"
    assert await command("sale", "report", "sale", "--html", str(page)) == (0, f"the report of sale is in {page}\n", "")
    text = page.read_text()
    assert text.startswith("<!doctype html>")
    assert "<style>" in text
    assert "<link" not in text


async def test_wrong_usage_is_one_line(command: Command, tmp_path: Path) -> None:
    for wrong in (("none",), ("a/b",), ("sale", "--json", "--html", str(tmp_path / "x"))):
        code, said, complaint = await command("sale", "report", *wrong)
        assert (code, said, complaint.count("\n")) == (2, "", 1), complaint
