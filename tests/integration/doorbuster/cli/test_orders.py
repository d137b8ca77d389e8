"""`doorbuster orders` and `doorbuster dead-letters` against a serving intake: read by people, and by programs."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from db.connections.pool import Connection
from doorbuster.cli.orders.words import amount
from tests.fixtures.commands import Command
from tests.fixtures.fulfilment import Fulfilment
from tests.fixtures.intake import Intake
from tests.fixtures.proxy import Proxy
from tests.fixtures.shop import Shop
from tests.fixtures.waiting import eventually
from tests.integration.intake.ops.test_order_filters import fill, moment


def sizes(folder: Path) -> dict[str, int]:
    """Return the sizes of files of orders in a folder, those under way too."""
    return {path.name: path.stat().st_size for path in folder.glob("*orders*")}


async def test_orders_are_listed_and_shown(command: Command, intake: Intake, db: Connection) -> None:
    assert await command("orders", "list") == (0, "no such orders\n", "")
    await fill(db, (await intake.open_sale())["sale_number"], 120)
    out = (await command("orders", "list", "--limit", "110"))[1].splitlines()
    assert out[0].split() == ["order", "sale", "customer", "status", "reason", "accepted", "total"]
    assert len(out) == 111
    assert len({line.index("sale ") for line in out[1:]}) == 1  # aligned
    asked = ("--sale", "sale", "--reason", "payment_declined", "--from", moment(30), "--to", moment(60), "--json")
    listed = json.loads((await command("orders", "list", *asked))[1])
    assert [one["reason"] for one in listed] == ["payment_declined"] * 10
    assert len(json.loads((await command("orders", "list", "--customer", "c3", "--json"))[1])) == 12
    one = listed[0]["order_id"]
    shown = (await command("orders", "show", one))[1]
    assert "cancelled (payment_declined)" in shown
    assert "1.00 EUR" in shown
    assert "history" in shown
    assert json.loads((await command("orders", "show", one, "--json"))[1])["order_id"] == one


async def test_an_export_is_a_file_only_when_it_is_whole(
    command: Command, intake: Intake, db: Connection, tmp_path: Path
) -> None:
    await fill(db, (await intake.open_sale())["sale_number"], 3_000)
    out = tmp_path / "orders.csv"
    assert await command("orders", "export", "--sale", "sale", "-o", str(out)) == (0, "", f"3,000 orders in {out}\n")
    assert out.read_text().count("\n") == 3_001
    lines = tmp_path / "orders.jsonl"
    assert (await command("orders", "export", "--status", "cancelled", "-o", str(lines)))[0] == 0
    assert {json.loads(line)["status"] for line in lines.read_text().splitlines()} == {"cancelled"}
    assert sorted(sizes(tmp_path)) == ["orders.csv", "orders.jsonl"]
    assert (await command("orders", "export", "--sale", "none", "-o", str(tmp_path / "x")))[0] == 2
    assert (await command("orders", "export", "-o", str(tmp_path / "no" / "x")))[0] == 2
    assert not (tmp_path / "x").exists()


async def test_a_broken_export_leaves_no_file(
    command: Command, intake: Intake, db: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(db, (await intake.open_sale())["sale_number"], 40_000)
    with Proxy(f"http://127.0.0.1:{intake.port}") as proxy:
        proxy.throttle(2_000_000)
        monkeypatch.setenv("OPS_URL", proxy.url)
        running = asyncio.create_task(command("orders", "export", "-o", str(tmp_path / "orders.csv")))

        async def begun() -> bool:
            assert not running.done(), "the export was over before it could be broken"
            return any(size for size in sizes(tmp_path).values())

        await eventually(begun)
        proxy.reset()
        code, _, complaint = await running
    assert code == 1
    assert "broke off" in complaint
    assert sizes(tmp_path) == {}


async def test_dead_letters_are_listed_shown_retried_and_discarded(
    command: Command, intake: Intake, shop: Shop
) -> None:
    assert await command("dead-letters", "list") == (0, "no dead letters\n", "")
    shop.sale_number = (await intake.open_sale())["sale_number"]
    for _ in range(2):
        await shop.accept(b"broken")
    await shop.drain()
    listed = json.loads((await command("dead-letters", "list", "--json"))[1])
    assert [one["kind"] for one in listed] == ["order", "order"]
    first, second = [str(one["dead_letter_id"]) for one in listed]
    table = (await command("dead-letters", "list"))[1].splitlines()
    assert table[0].split()[:4] == ["id", "kind", "state", "about"]
    assert len(table) == 3
    assert listed[0]["reason"] in (await command("dead-letters", "show", first))[1]
    assert (await command("dead-letters", "retry", first))[:2] == (0, f"the dead letter {first} is tried again\n")
    said = await command("dead-letters", "discard", second, "--reason", "too old", "--yes")
    assert said[:2] == (0, f"the dead letter {second} is discarded\n")
    states = json.loads((await command("dead-letters", "list", "--state", "all", "--json"))[1])
    assert {one["state"] for one in states} == {"retried", "discarded"}
    code, _, complaint = await command("dead-letters", "show", "999")
    assert (code, complaint.count("\n")) == (2, 1)


async def test_an_order_is_cancelled_as_a_whole_with_a_reason(command: Command, intake: Intake, shop: Shop) -> None:
    shop.sale_number = (await intake.open_sale())["sale_number"]
    await intake.ops.post("/ops/products/hot/stock", json={"receive": 5})
    order = (await intake.post("sale")).json()["order_id"]
    await shop.drain()
    assert (await command("orders", "cancel", order))[0] == 2  # nobody answered
    code, said, _ = await command("orders", "cancel", order, "--reason", "customer called", "--yes")
    assert (code, said) == (0, f"all that has not been shipped of {order} is cancelled; the order is cancelled\n")
    assert (await intake.ops.get(f"/ops/orders/{order}")).json()["reason"] == "customer called"


@pytest.mark.parametrize(
    "wrong",
    [
        ("orders",),
        ("orders", "list", "--status", "paid"),
        ("orders", "list", "--from", "yesterday"),
        ("orders", "list", "--limit", "0"),
        ("orders", "show"),
        ("orders", "show", "x"),
        ("orders", "export", "--format", "xlsx"),
        ("orders", "refund", "x"),
        ("orders", "ship", "x", "--line", "one"),
        ("orders", "cancel", "x", "--line", "1=2", "--reason", "y", "--yes"),
        ("dead-letters",),
        ("dead-letters", "list", "--kind", "letter"),
        ("dead-letters", "discard", "1"),
        ("dead-letters", "retry", "x"),
    ],
)
async def test_wrong_usage_is_one_line(command: Command, wrong: tuple[str, ...]) -> None:
    code, out, complaint = await command(*wrong)
    assert (code, out) == (2, ""), complaint
    assert complaint.count("\n") == 1
    assert complaint.startswith("doorbuster: ")


def test_amounts_are_written_as_people_do() -> None:
    assert amount(4900, "EUR") == "49.00 EUR"
    assert amount(1500, "JPY") == "1,500 JPY"
    assert amount(1500, "KWD") == "1.500 KWD"
    assert amount(None, "EUR") == "-"


async def test_an_order_is_shipped_refunded_and_cancelled_by_line(command: Command, fulfilment: Fulfilment) -> None:
    order = await fulfilment.place(lamp=3, rug=2)
    code, said, _ = await command("orders", "ship", order, "--line", "1=2", "--carrier", "Post", "--tracking", "T 1")
    assert code == 0
    assert said.endswith(f"of {order} is sent: 2 of line 1; the order is confirmed\n")
    code, said, _ = await command("orders", "cancel", order, "--line", "2=1", "--yes")
    assert (code, said) == (0, f"1 of line 2 of {order} is cancelled; the order is confirmed\n")
    code, said, _ = await command("orders", "ship", order, "--line", "1", "--line", "2")  # what is left of each
    assert said.endswith("is sent: 1 of line 1, 1 of line 2; the order is shipped\n")
    assert (await command("orders", "ship", order, "--line", "1"))[2] == (
        "doorbuster: --line: nothing is left of line 1\n"
    )
    refund = ("orders", "refund", order, "--line", "1=1", "--reason", "broken", "--restock", "--key", "k")
    assert (await command(*refund))[0] == 2  # nobody answered
    first = await command(*refund, "--yes")
    assert first[0] == 0
    assert first[1].startswith(f"1.00 EUR of {order} goes back, pending: refund ")
    assert (await command(*refund, "--yes"))[1] == first[1]  # the same key: the same refund
    shown = (await command("orders", "show", order))[1]
    for seen in ("Post", "T 1", "2 of line 1", "1 of line 1", "broken"):
        assert seen in shown
    code, said, _ = await command("orders", "refund", order, "--amount", "50", "--reason", "late", "--yes", "--json")
    assert json.loads(said)["amount"] == 50
    code, _, complaint = await command("orders", "refund", order, "--amount", "100000", "--reason", "x", "--yes")
    assert (code, complaint.count("\n")) == (2, 1)


async def test_a_whole_order_is_shipped(command: Command, fulfilment: Fulfilment) -> None:
    order = await fulfilment.place()
    sent = json.loads((await command("orders", "ship", order, "--json"))[1])
    assert (sent["order"]["status"], len(sent["lines"])) == ("shipped", 2)
    code, _, complaint = await command("orders", "cancel", order, "--yes")
    assert (code, complaint.count("\n")) == (2, 1)
