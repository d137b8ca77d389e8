"""`doorbuster webhooks`: made and shown once, listed, tested, rotated, replayed, deleted; wrong usage is one line."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.fixtures.commands import Command
from tests.fixtures.intake import Intake
from tests.fixtures.receivers import Hooks

URL = "https://shop.example/hooks"


async def test_a_webhook_from_its_making_to_its_end(command: Command) -> None:
    code, secret, told = await command(
        "webhooks", "create", URL, "--event", "order.confirmed", "--event", "order.shipped", "--description", "the shop"
    )
    assert (code, "shown this once" in told, secret.startswith("whsec_")) == (0, True, True)
    other = json.loads((await command("webhooks", "create", URL, "--json"))[1])
    assert other["secret"].startswith("whsec_")
    listed = (await command("webhooks", "list"))[1]
    assert [line.split()[0] for line in listed.splitlines()] == ["id", "2", "1"]
    assert "order.confirmed order.shipped" in listed
    shown = (await command("webhooks", "show", "1"))[1]
    assert URL in shown
    rotated = await command("webhooks", "rotate", "1")
    assert rotated[1].startswith("whsec_")
    assert rotated[1] != secret
    for text in (listed, shown, (await command("webhooks", "list", "--json"))[1], (await command("log"))[1]):
        assert secret.strip() not in text
        assert rotated[1].strip() not in text
    assert (await command("webhooks", "resume", "1"))[0] == 0
    code, said, _ = await command("webhooks", "replay", "1", "--since", "2026-01-01T00:00Z")
    assert (code, "once more" in said) == (0, True)
    assert (await command("webhooks", "deliveries", "1"))[1] == "no deliveries\n"
    assert json.loads((await command("webhooks", "deliveries", "1", "--json"))[1]) == []
    assert (await command("webhooks", "delete", "1"))[0] == 2  # nobody answered
    assert (await command("webhooks", "delete", "1", "--yes"))[:2] == (0, "the webhook 1 is deleted\n")
    assert (await command("webhooks", "show", "1"))[0] == 2


@pytest.mark.parametrize(
    "wrong",
    [
        ("create",), ("create", "ftp://x"), ("create", "http://127.0.0.1/"),
        ("create", URL, "--event", "order.vanished"),
        ("show",), ("show", "7"), ("show", "../orders"), ("replay", "1"), ("replay", "1", "--since", "soon"),
        ("deliveries", "1", "--state", "odd"), ("deliveries", "1", "--limit", "0"), ("test", "7"), (), ("odd",),
    ],
    ids=" ".join,
)  # fmt: skip
async def test_wrong_usage_is_one_line(command: Command, wrong: tuple[str, ...]) -> None:
    code, out, complaint = await command("webhooks", *wrong)
    assert (code, out) == (2, ""), wrong
    assert complaint.count("\n") == 1, wrong


async def test_a_test_says_what_came_of_it(command: Command, intake: Intake, hooks: Hooks) -> None:
    receiver = await hooks.receiver()
    receiver.answers = [500]
    for expected, code in (("not taken, answered 500", 1), ("taken, answered 204", 0)):
        running = asyncio.create_task(command("webhooks", "test", str(receiver.webhook_id)))
        while not running.done():
            await hooks.deliver()
        ended, said, _ = await running
        assert (ended, expected in said) == (code, True), said
    assert "not taken" not in said
    assert len((await command("webhooks", "deliveries", str(receiver.webhook_id)))[1].splitlines()) == 3
